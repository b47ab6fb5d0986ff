use plimsoll_domain::Key;

use super::*;

mod model;

const TIMEOUT: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Moment {
    Moment::from_nanos((1_000 + millis) * 1_000_000)
}

fn pending(number: u64, due: u64) -> Pending {
    Pending::new(number, Key::default(), at(due), at(due))
}

fn queue(max_connections: usize) -> Queue {
    Queue::new(Rules { max_connections, max_backlog: 100, timeout: TIMEOUT })
}

/// The number of the arrival that is sent.
fn number(next: Next) -> Option<u64> {
    match next {
        Next::Send(pending) => Some(pending.number),
        Next::Wait | Next::Close => None,
    }
}

fn yes() -> bool {
    true
}

impl Queue {
    /// An arrival that finds no idle connection, and the connection that is opened for it.
    fn opened_for(&mut self, number: u64, millis: u64) -> SlotId {
        assert_eq!(self.arrive(pending(number, millis), at(millis), yes), None);
        self.open_next(at(millis)).unwrap()
    }

    /// A connection that has answered and is idle at this time.
    fn proven(&mut self, number: u64, millis: u64) -> SlotId {
        let slot = self.opened_for(number, millis);
        let sent = self.opened(slot, at(millis), yes);
        assert!(matches!(sent, Next::Send(pending) if pending.number == number));
        self.finished(slot, Some(Duration::from_millis(1)));
        assert_eq!(self.free(slot, at(millis), yes), Next::Wait);
        slot
    }

    fn ticked(&mut self, millis: u64) -> Vec<(SlotId, Order)> {
        let mut told = Vec::new();
        self.tick(at(millis), |slot, order| told.push((slot, order)));
        told
    }

    fn dropped(&mut self) -> Vec<(u64, Why)> {
        self.unsent().map(|(pending, why)| (pending.number, why)).collect()
    }
}

#[test]
fn the_connection_used_last_is_used_next() {
    let mut queue = queue(10);
    let first = queue.opened_for(0, 0);
    let second = queue.opened_for(1, 0);
    for (slot, millis) in [(first, 1), (second, 2)] {
        assert!(matches!(queue.opened(slot, at(millis), yes), Next::Send(_)));
    }
    for (slot, millis) in [(second, 3), (first, 4)] {
        queue.finished(slot, Some(Duration::from_millis(2)));
        assert_eq!(queue.free(slot, at(millis), yes), Next::Wait);
    }
    for number in 2..9 {
        let millis = 10 * number;
        assert_eq!(queue.arrive(pending(number, millis), at(millis), yes), Some(first));
        queue.finished(first, Some(Duration::from_millis(1)));
        assert_eq!(queue.free(first, at(millis + 1), yes), Next::Wait);
    }
}

#[test]
fn whoever_is_free_first_takes_the_oldest() {
    let mut queue = queue(10);
    let old = queue.proven(0, 0);
    assert_eq!(queue.arrive(pending(1, 10), at(10), yes), Some(old));
    let new = queue.opened_for(2, 11);
    assert_eq!(queue.arrive(pending(3, 12), at(12), yes), None);
    queue.finished(old, Some(Duration::from_millis(1)));
    assert_eq!(number(queue.free(old, at(13), yes)), Some(2));
    assert_eq!(number(queue.opened(new, at(14), yes)), Some(3));
}

#[test]
fn a_connection_without_a_request_comes_first_and_does_not_stay() {
    let mut queue = queue(10);
    let old = queue.proven(0, 0);
    assert_eq!(queue.arrive(pending(1, 10), at(10), yes), Some(old));
    let silent = queue.opened_for(2, 10);
    queue.finished(old, Some(Duration::from_millis(1)));
    assert_eq!(number(queue.free(old, at(11), yes)), Some(2));
    assert_eq!(queue.opened(silent, at(12), yes), Next::Wait);
    queue.finished(old, Some(Duration::from_millis(1)));
    assert_eq!(queue.free(old, at(13), yes), Next::Wait);
    // The server may have accepted it, and wait for its request.
    assert_eq!(queue.arrive(pending(3, 14), at(14), yes), Some(silent));
    queue.finished(silent, Some(Duration::from_millis(1)));
    assert_eq!(queue.free(silent, at(15), yes), Next::Wait);

    assert_eq!(queue.arrive(pending(4, 20), at(20), yes), Some(silent));
    assert_eq!(queue.arrive(pending(5, 20), at(20), yes), Some(old));
    let unused = queue.opened_for(6, 20);
    queue.finished(old, Some(Duration::from_millis(1)));
    assert_eq!(number(queue.free(old, at(21), yes)), Some(6));
    assert_eq!(queue.opened(unused, at(22), yes), Next::Wait);
    assert_eq!(queue.ticked(26), []);
    assert_eq!(queue.ticked(27), [(unused, Order::Close)]);
    queue.closed(unused);
    assert_eq!(queue.connections(), 2);
}

#[test]
fn a_warm_connection_stays() {
    let mut queue = queue(10);
    let warm = [queue.open_warm(at(0)), queue.open_warm(at(0))];
    for slot in [warm[1], warm[0]] {
        assert_eq!(queue.opened(slot, at(1), yes), Next::Wait);
    }
    assert_eq!(queue.ticked(900), []);
    // The one that was opened first is the one that was accepted first.
    assert_eq!(queue.arrive(pending(0, 900), at(900), yes), Some(warm[1]));
}

#[test]
fn an_arrival_waits_for_one_timeout_in_all() {
    let mut queue = queue(1);
    let slot = queue.proven(0, 0);
    assert_eq!(queue.arrive(pending(1, 10), at(10), yes), Some(slot));
    // Released late: its time counts from when it was due.
    let late = Pending::new(2, Key::default(), at(20), at(500));
    assert_eq!(queue.arrive(late, at(500), yes), None);
    assert_eq!(queue.open_next(at(500)), None, "one connection is the limit");
    assert!(queue.next_tick() <= Some(at(1_010)));
    assert_eq!(queue.ticked(1_009), []);
    assert_eq!(queue.ticked(1_010), [(slot, Order::TimeOut)]);
    assert_eq!((queue.ticked(1_020), queue.dropped()), (vec![], vec![(2, Why::NoConnection)]));
    let late = Pending::new(3, Key::default(), at(30), at(1_030));
    assert_eq!(queue.arrive(late, at(1_030), yes), None);
    assert_eq!(queue.dropped(), [(3, Why::Late)]);
    assert_eq!(queue.backlog(), 0);
}

#[test]
fn an_arrival_fails_with_the_attempt_that_kept_it() {
    let mut queue = queue(2);
    let attempt = queue.opened_for(0, 0);
    assert_eq!(queue.ticked(1_000), [(attempt, Order::TimeOut)]);
    assert!(!queue.is_empty());
    assert_eq!(queue.overdue(at(1_000), TIMEOUT).count(), 1);
    assert_eq!(queue.open_failed(attempt), Some(pending(0, 0)));
    queue.closed(attempt);
    assert!(queue.is_empty() && queue.dropped().is_empty());

    // It had waited for most of its time before the attempt began: it is dropped, the attempt goes on.
    let busy = queue.proven(1, 2_000);
    assert_eq!(queue.arrive(pending(2, 2_000), at(2_000), yes), Some(busy));
    let gone = queue.opened_for(3, 2_000);
    assert_eq!(queue.arrive(pending(4, 2_100), at(2_100), yes), None);
    assert!(matches!(queue.opened(gone, at(2_101), yes), Next::Send(_)));
    queue.finished(gone, None);
    queue.closed(gone);
    let attempt = queue.open_next(at(2_900)).unwrap();
    assert_eq!(queue.ticked(3_100), [(busy, Order::TimeOut)]);
    assert_eq!(queue.dropped(), [(4, Why::NoConnection)]);
    assert_eq!(queue.opened(attempt, at(3_101), yes), Next::Wait);
}

#[test]
fn what_comes_back_is_in_its_old_place_and_not_for_ever() {
    let mut queue = queue(1);
    let mut slot = queue.proven(0, 0);
    assert_eq!(queue.arrive(pending(1, 10), at(10), yes), Some(slot));
    assert_eq!(queue.arrive(pending(2, 11), at(11), yes), None);
    for round in 0..MAX_RETURNS {
        let back = queue.give_back(slot).unwrap();
        assert_eq!((back.number, back.returns), (1, round + 1));
        assert_eq!(queue.arrive(back, at(12), yes), None);
        queue.closed(slot);
        slot = queue.open_next(at(12)).unwrap();
        let Next::Send(sent) = queue.opened(slot, at(13), yes) else { panic!("it waits") };
        assert_eq!(sent.number, 1);
    }
    assert_eq!(queue.give_back(slot), None);
    assert_eq!(queue.in_flight(), 1, "it fails on the connection that it is on");
}

#[test]
fn the_ceiling_is_asked_once_and_what_it_forbids_is_not_delayed() {
    let mut queue = queue(1);
    let slot = queue.proven(0, 0);
    assert_eq!(queue.arrive(pending(1, 10), at(10), || false), None);
    assert_eq!(queue.dropped(), [(1, Why::Capped)]);
    assert_eq!(queue.arrive(pending(2, 11), at(11), yes), Some(slot));
    let back = queue.give_back(slot).unwrap();
    assert_eq!(queue.free(slot, at(11), yes), Next::Wait);
    assert_eq!(queue.arrive(back, at(11), || panic!("it was asked")), Some(slot));
}

/// A server that takes one connection at a time, and keeps it: nothing is answered on the second
/// before the first is closed.
#[test]
fn a_connection_that_answers_gives_way_to_one_that_waits_for_its_first_answer() {
    let mut queue = queue(10);
    let kept = queue.proven(0, 0);
    assert_eq!(queue.arrive(pending(1, 10), at(10), yes), Some(kept));
    let waits = queue.opened_for(2, 10);
    assert!(matches!(queue.opened(waits, at(10), yes), Next::Send(_)));
    queue.finished(kept, Some(Duration::from_millis(5)));
    assert_eq!(queue.free(kept, at(15), yes), Next::Wait);
    // Three times 5 ms: from then on nothing is sent on the first.
    assert_eq!(queue.ticked(24), []);
    assert_eq!((queue.next_tick(), queue.ticked(25)), (Some(at(25)), vec![(kept, Order::Close)]));
    queue.closed(kept);
    queue.finished(waits, Some(Duration::from_millis(20)));
    assert_eq!(queue.free(waits, at(30), yes), Next::Wait);
    assert_eq!(queue.connections(), 1);
}

#[test]
fn a_busy_connection_gives_way_when_it_is_done() {
    let mut queue = queue(10);
    let kept = queue.proven(0, 0);
    assert_eq!(queue.arrive(pending(1, 10), at(10), yes), Some(kept));
    let waits = queue.opened_for(2, 10);
    assert!(matches!(queue.opened(waits, at(10), yes), Next::Send(_)));
    assert_eq!(queue.ticked(39), []);
    queue.finished(kept, Some(Duration::from_millis(5)));
    assert_eq!(queue.free(kept, at(40), yes), Next::Close);
}

#[test]
fn nobody_gives_way_once_two_connections_have_been_answered_side_by_side() {
    let mut queue = queue(10);
    let first = queue.proven(0, 0);
    assert_eq!(queue.arrive(pending(1, 10), at(10), yes), Some(first));
    let second = queue.opened_for(2, 10);
    assert!(matches!(queue.opened(second, at(10), yes), Next::Send(_)));
    queue.finished(second, Some(Duration::from_millis(1)));
    assert_eq!(queue.free(second, at(11), yes), Next::Wait);
    // It answers after the other one's first answer: both are served.
    queue.finished(first, Some(Duration::from_millis(2)));
    assert_eq!(queue.free(first, at(12), yes), Next::Wait);
    for number in [3, 4] {
        assert!(queue.arrive(pending(number, 13), at(13), yes).is_some());
    }
    let slow = queue.opened_for(5, 13);
    assert!(matches!(queue.opened(slow, at(13), yes), Next::Send(_)));
    queue.finished(first, Some(Duration::from_millis(1)));
    assert_eq!(queue.free(first, at(14), yes), Next::Wait);
    assert_eq!(queue.ticked(900), []);
    assert_eq!(queue.connections(), 3);
}
