//! Who answered: the deployment that an answer names.
//!
//! `azureml-model-deployment` names it. `azureml-model-session` may name a copy of it: the name of a
//! deployment, a `-` and something more; it counts only if it begins with a known name. An answer
//! that names nobody is nobody's.

use plimsoll_domain::Recorder;

/// Finds the numbers of deployments. Most answers are of the deployment that answered last, and are
/// found without a search.
#[derive(Debug, Default)]
pub(super) struct Attribution {
    last: Option<(Header, Vec<u8>, u16)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Header {
    Deployment,
    Session,
}

impl Attribution {
    /// The number of the deployment that these headers of an answer name; 0 for nobody.
    pub(super) fn of(
        &mut self,
        deployment: Option<&[u8]>,
        session: Option<&[u8]>,
        recorder: &mut Recorder,
    ) -> u16 {
        let (header, value) = match (deployment, session) {
            (Some(value), _) => (Header::Deployment, value),
            (None, Some(value)) => (Header::Session, value),
            (None, None) => return 0,
        };
        if let Some((last_header, last, number)) = &self.last
            && (*last_header, last.as_slice()) == (header, value)
        {
            return *number;
        }
        let number = find(header, value, recorder);
        self.last = Some((header, value.to_vec(), number));
        number
    }
}

fn find(header: Header, value: &[u8], recorder: &mut Recorder) -> u16 {
    let Some(text) = str::from_utf8(value).ok().map(str::trim).filter(|text| !text.is_empty())
    else {
        return 0;
    };
    if header == Header::Deployment {
        return recorder.deployment(text);
    }
    let is_of = |name: &String| {
        let rest = text.strip_prefix(name.as_str());
        !name.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    let known = recorder.names().deployments().iter().enumerate();
    let of = known.filter(|(_, name)| is_of(name)).max_by_key(|(_, name)| name.len());
    of.map_or(0, |(number, _)| number as u16)
}

#[cfg(test)]
mod tests {
    use plimsoll_domain::{Limits, Names};

    use super::*;

    #[test]
    fn the_deployment_is_named_by_one_header_or_by_the_beginning_of_the_other() {
        let known = ["blue", "blue-2"].map(str::to_owned);
        let names = Names::new(Vec::new(), vec!["score".to_owned()], known);
        let mut recorder = Recorder::new(names, Limits::default());
        let mut who = Attribution::default();
        // (deployment, session, who)
        let table = [
            (Some("blue"), None, "blue"),
            (Some("blue"), None, "blue"),
            (Some("green"), Some("blue"), "green"),
            (None, Some("blue"), "blue"),
            (None, Some("blue-7f9c"), "blue"),
            (None, Some("blue-2-7f9c"), "blue-2"),
            (None, Some("green-1"), "green"),
            (None, Some("bluebell"), ""),
            (None, Some("black-1"), ""),
            (None, Some(""), ""),
            (Some(" "), None, ""),
            (None, None, ""),
        ];
        for (deployment, session, expected) in table {
            let (first, second) = (deployment.map(str::as_bytes), session.map(str::as_bytes));
            let number = who.of(first, second, &mut recorder);
            let found = &recorder.names().deployments()[usize::from(number)];
            assert_eq!(found, expected, "{deployment:?} {session:?}");
        }
        assert_eq!(who.of(Some(b"\xff"), None, &mut recorder), 0);
    }
}
