use proptest::prelude::*;

use super::*;

fn admission(max_concurrent: u32, instances: usize) -> (Admission, Vec<InstanceId>) {
    let mut admission = Admission::new(NonZeroU32::new(max_concurrent).unwrap());
    let ids = (0..instances).map(|_| admission.add()).collect();
    (admission, ids)
}

fn started(decision: Decision) -> InstanceId {
    match decision {
        Decision::Start(instance) => instance,
        other => panic!("not started: {other:?}"),
    }
}

fn waits(decision: Decision) -> Ticket {
    match decision {
        Decision::Wait(ticket) => ticket,
        other => panic!("does not wait: {other:?}"),
    }
}

#[test]
fn azures_limit_is_half_at_work_and_half_waiting() {
    // max_concurrent, instances, started, waiting
    let table = [(1, 1, 1, 1), (1, 3, 3, 3), (4, 2, 8, 8), (200, 50, 10_000, 10_000)];
    for (max_concurrent, instances, at_work, waiting) in table {
        let (mut admission, ids) = admission(max_concurrent, instances);
        let mut busy = vec![0; instances];
        for _ in 0..at_work {
            let instance = started(admission.arrive(None));
            busy[ids.iter().position(|id| *id == instance).unwrap()] += 1;
        }
        assert!(busy.iter().all(|busy| *busy == max_concurrent), "{busy:?}");
        for _ in 0..waiting {
            waits(admission.arrive(None));
        }
        assert_eq!(admission.limit(), at_work + waiting);
        assert_eq!(admission.arrive(None), Decision::Refuse(Refusal::TooMany));
    }
}

#[test]
fn equals_take_turns_and_the_least_busy_is_asked() {
    let (mut admission, ids) = admission(2, 3);
    let mut first: Vec<_> = (0..3).map(|_| started(admission.arrive(None))).collect();
    first.sort();
    assert_eq!(first, ids);
    admission.free(ids[1]);
    assert_eq!(started(admission.arrive(None)), ids[1]);
}

#[test]
fn the_one_to_avoid_is_asked_only_if_no_other_has_a_free_slot() {
    let (mut admission, ids) = admission(2, 2);
    assert_eq!(started(admission.arrive(Some(ids[0]))), ids[1]);
    assert_eq!(started(admission.arrive(Some(ids[0]))), ids[1]);
    assert_eq!(started(admission.arrive(Some(ids[0]))), ids[0]);
}

#[test]
fn waiting_is_in_order_and_a_place_given_up_is_free() {
    let (mut admission, ids) = admission(2, 1);
    let mut arrive = || admission.arrive(None);
    started(arrive());
    started(arrive());
    let (first, second) = (waits(arrive()), waits(arrive()));
    assert_eq!(arrive(), Decision::Refuse(Refusal::TooMany));
    admission.give_up(first);
    let third = waits(admission.arrive(None));
    assert_eq!(admission.start_next(), None, "no slot is free");
    admission.free(ids[0]);
    assert_eq!(waits(admission.arrive(None)), Ticket(4), "nobody overtakes the backlog");
    assert_eq!(admission.start_next(), Some((second, ids[0])));
    admission.give_up(second);
    assert_eq!(admission.start_next(), None);
    admission.free(ids[0]);
    assert_eq!(admission.start_next(), Some((third, ids[0])));
}

#[test]
fn an_instance_more_serves_the_backlog_and_the_last_one_gone_ends_it() {
    let (mut admission, ids) = admission(1, 1);
    started(admission.arrive(None));
    let waiting = waits(admission.arrive(None));
    let more = admission.add();
    assert_eq!(admission.start_next(), Some((waiting, more)));
    let left = [waits(admission.arrive(None)), waits(admission.arrive(None))];
    assert!(admission.remove(more).is_empty());
    assert_eq!(admission.remove(ids[0]), left);
    assert_eq!(admission.arrive(None), Decision::Refuse(Refusal::NotReady));
    assert!(admission.holds(more) && admission.free(more) && !admission.holds(more));
    assert!(admission.free(ids[0]) && admission.instances.is_empty());
}

/// Something that happens to a deployment. Numbers choose among what there is.
#[derive(Debug, Clone, Copy)]
enum Event {
    Arrive { avoid: Option<usize> },
    Free(usize),
    GiveUp(usize),
    Add,
    Remove(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => proptest::option::of(any::<usize>()).prop_map(|avoid| Event::Arrive { avoid }),
        5 => any::<usize>().prop_map(Event::Free),
        1 => any::<usize>().prop_map(Event::GiveUp),
        1 => Just(Event::Add),
        1 => any::<usize>().prop_map(Event::Remove),
    ]
}

/// What an executor knows: instances that get requests, slots that are taken, who waits.
#[derive(Default)]
struct Executor {
    open: Vec<InstanceId>,
    at_work: Vec<InstanceId>,
    waiting: VecDeque<Ticket>,
}

fn chosen<T>(from: &mut Vec<T>, number: usize) -> Option<T> {
    (!from.is_empty()).then(|| from.remove(number % from.len()))
}

impl Executor {
    fn busy(&self, instance: InstanceId) -> usize {
        self.at_work.iter().filter(|id| **id == instance).count()
    }

    fn admitted(&self) -> usize {
        let at_work = self.open.iter().map(|id| self.busy(*id)).sum::<usize>();
        at_work + self.waiting.len()
    }

    fn run(&mut self, admission: &mut Admission, event: Event) {
        match event {
            Event::Arrive { avoid } => {
                let limit = admission.limit() as usize;
                let avoid = avoid.zip((!self.open.is_empty()).then_some(&self.open));
                match admission.arrive(avoid.map(|(number, open)| open[number % open.len()])) {
                    Decision::Start(instance) => {
                        assert!(self.waiting.is_empty(), "nobody overtakes the backlog");
                        self.start(instance);
                        assert!(self.admitted() <= limit);
                    }
                    Decision::Wait(ticket) => {
                        self.waiting.push_back(ticket);
                        assert!(self.admitted() <= limit);
                    }
                    Decision::Refuse(Refusal::TooMany) => assert!(self.admitted() >= limit),
                    Decision::Refuse(Refusal::NotReady) => assert!(self.open.is_empty()),
                }
            }
            Event::Free(number) => {
                if let Some(instance) = chosen(&mut self.at_work, number) {
                    let last = !self.open.contains(&instance) && self.busy(instance) == 0;
                    assert_eq!(admission.free(instance), last);
                }
            }
            Event::GiveUp(number) => {
                if !self.waiting.is_empty() {
                    let index = number % self.waiting.len();
                    admission.give_up(self.waiting.remove(index).unwrap());
                }
            }
            Event::Add => self.open.push(admission.add()),
            Event::Remove(number) => {
                if let Some(instance) = chosen(&mut self.open, number) {
                    let ended = admission.remove(instance);
                    if self.open.is_empty() {
                        assert!(self.waiting.drain(..).eq(ended));
                    } else {
                        assert!(ended.is_empty());
                    }
                }
            }
        }
        while let Some((ticket, instance)) = admission.start_next() {
            assert_eq!(self.waiting.pop_front(), Some(ticket), "first come, first served");
            self.start(instance);
        }
    }

    fn start(&mut self, instance: InstanceId) {
        assert!(self.open.contains(&instance), "only an open instance is given requests");
        self.at_work.push(instance);
    }
}

proptest! {
    /// Whatever happens: no instance has more than its slots, no more than the limit are admitted, nobody
    /// overtakes, only open instances are given requests, and no slot is free while somebody waits.
    #[test]
    fn the_rule_holds_whatever_happens(
        max_concurrent in 1_u32..5,
        events in proptest::collection::vec(event(), 1..200),
    ) {
        let (mut admission, _) = admission(max_concurrent, 0);
        let mut executor = Executor::default();
        for event in events {
            executor.run(&mut admission, event);
            for instance in &executor.at_work {
                prop_assert!(executor.busy(*instance) <= max_concurrent as usize);
            }
            let full = |id: &InstanceId| executor.busy(*id) == max_concurrent as usize;
            prop_assert!(executor.waiting.is_empty() || executor.open.iter().all(full));
            prop_assert_eq!(admission.waiting(), executor.waiting.len());
            prop_assert_eq!(admission.limit() as usize, 2 * max_concurrent as usize * executor.open.len());
        }
    }
}

/// As while a deployment is updated to another concurrency.
#[test]
fn instances_may_differ_in_their_slots() {
    let (mut admission, ids) = admission(1, 1);
    let large = admission.add_with(NonZeroU32::new(3).unwrap());
    assert_eq!(admission.limit(), 8);
    let mut order: Vec<_> = (0..4).map(|_| started(admission.arrive(None))).collect();
    assert_eq!(order[..2], [large, large], "the most free slots come first");
    order.sort();
    assert_eq!(order, [ids[0], large, large, large]);
    waits(admission.arrive(None));
    admission.remove(ids[0]);
    assert_eq!(admission.limit(), 6);
}
