//! Idle connections in the order in which they became idle. Each step costs the same however many
//! there are: the slots are linked by their numbers.

use super::SlotId;

/// Slots on top of each other.
#[derive(Debug, Default)]
pub(super) struct Idle {
    top: Option<SlotId>,
    /// By slot; what is not in the stack has neighbours of old that mean nothing.
    neighbours: Vec<Neighbours>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Neighbours {
    above: Option<SlotId>,
    below: Option<SlotId>,
}

impl Idle {
    /// The slot that was pushed last.
    pub(super) fn top(&self) -> Option<SlotId> {
        self.top
    }

    /// Puts a slot on top that is not in the stack.
    pub(super) fn push(&mut self, slot: SlotId) {
        if self.neighbours.len() <= slot {
            self.neighbours.resize(slot + 1, Neighbours::default());
        }
        self.neighbours[slot] = Neighbours { above: None, below: self.top };
        if let Some(below) = self.top.replace(slot) {
            self.neighbours[below].above = Some(slot);
        }
    }

    /// Takes out a slot that is in the stack.
    pub(super) fn remove(&mut self, slot: SlotId) {
        let Neighbours { above, below } = self.neighbours[slot];
        match above {
            Some(above) => self.neighbours[above].below = below,
            None => self.top = below,
        }
        if let Some(below) = below {
            self.neighbours[below].above = above;
        }
    }

    /// Takes the top slot.
    pub(super) fn pop(&mut self) -> Option<SlotId> {
        let top = self.top?;
        self.remove(top);
        Some(top)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_can_be_taken_out_and_the_rest_keep_their_order() {
        let mut idle = Idle::default();
        for slot in [4, 0, 2, 7, 1] {
            idle.push(slot);
        }
        for slot in [2, 4, 1] {
            idle.remove(slot);
        }
        idle.push(2);
        assert_eq!(idle.top(), Some(2));
        let rest: Vec<_> = std::iter::from_fn(|| idle.pop()).collect();
        assert_eq!(rest, [2, 7, 0]);
        idle.push(3);
        assert_eq!((idle.pop(), idle.pop()), (Some(3), None));
    }
}
