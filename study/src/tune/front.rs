//! What is worth keeping when there are two costs.

use super::Cost;

/// The places of those that no other beats in both costs, the fewest instance-hours first. Of equal ones the first is kept.
pub fn front(costs: &[Cost]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (costs[a], costs[b]);
        a.instance_h.total_cmp(&b.instance_h).then(a.violation_s.total_cmp(&b.violation_s))
    });
    let mut least = f64::INFINITY;
    order.retain(|&index| {
        let is_better = costs[index].violation_s < least;
        least = least.min(costs[index].violation_s);
        is_better
    });
    order
}

/// For each the number of its front, counted from 0 when the fronts before it are taken away.
pub(super) fn ranks(costs: &[Cost]) -> Vec<usize> {
    let mut ranks = vec![0; costs.len()];
    let mut left: Vec<usize> = (0..costs.len()).collect();
    let mut rank = 0;
    while !left.is_empty() {
        let of_left: Vec<Cost> = left.iter().map(|&index| costs[index]).collect();
        // Equal costs stand on one front.
        let best: Vec<Cost> = front(&of_left).into_iter().map(|place| of_left[place]).collect();
        let (here, after): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|&index| best.contains(&costs[index]));
        for index in here {
            ranks[index] = rank;
        }
        left = after;
        rank += 1;
    }
    ranks
}
