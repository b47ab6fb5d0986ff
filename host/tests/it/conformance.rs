//! What every runtime owes a deployment, run on each of them: one table of checks, one [`Subject`] per runtime.
//!
//! What differs between runtimes is data of the subject. A request is made to last by stopping the instance's
//! processes (SIGSTOP), which needs nothing of the model. The python runtime is the official inference server; where it
//! cannot be had, its checks say that they are skipped.

mod checks;
mod processes;
mod subject;

use subject::Subject;

/// A test for each check on each runtime.
macro_rules! conformance {
    ($checks:tt on $($runtime:ident)*) => { $(conformance!(@ $runtime $checks);)* };
    (@ $runtime:ident { $($check:ident)* }) => {
        mod $runtime {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $check() {
                    if let Some(subject) = super::subject::$runtime().await {
                        super::checks::$check(subject).await;
                    }
                }
            )*
        }
    };
}

conformance! {
    {
        an_answer_is_the_models_and_names_the_request
        it_is_asked_only_once_it_is_ready
        a_model_error_is_424_with_the_models_own_status
        a_request_that_timed_out_keeps_its_slot
        a_body_beyond_the_limit_never_gets_there
        what_it_writes_is_served
        a_stop_waits_for_what_is_under_way
        it_comes_back_after_its_death
        one_that_hangs_is_started_again
        an_update_replaces_it_and_loses_nothing
        it_scales_out_and_in
        a_start_that_fails_says_why_and_leaves_nothing
        it_has_its_variables_and_no_key
    }
    on synthetic builtin python
}
