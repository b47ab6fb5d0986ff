//! Requests under way.

use plimsoll_deploy::admission::InstanceId;
use plimsoll_domain::Key;

/// The number of a request under way; it is used again when nothing refers to it any more.
pub(crate) type FlightId = u32;

/// A request under way, or what is left of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Flight {
    pub(crate) key: Key,
    /// Whose deployment.
    pub(crate) fleet: u16,
    /// Whether the model answers right.
    pub(crate) right: bool,
    /// Whether its caller still waits.
    pub(crate) is_awaited: bool,
    /// Entries of the calendar and of an instance's queue that name it.
    pub(crate) mentions: u8,
    pub(crate) due: u64,
    pub(crate) sent: u64,
    /// When its instance began with it.
    pub(crate) begun: u64,
    /// How long the instance works on it.
    pub(crate) work: u64,
    /// Whose slot it holds; none while it waits in the backlog, and none of an instance that failed.
    pub(crate) instance: Option<InstanceId>,
}

/// All of them. As many as were ever under way at a time.
#[derive(Debug, Default)]
pub(crate) struct Flights {
    all: Vec<Flight>,
    vacant: Vec<FlightId>,
}

impl Flights {
    /// Adds one.
    pub(crate) fn add(&mut self, flight: Flight) -> FlightId {
        if let Some(id) = self.vacant.pop() {
            self.all[id as usize] = flight;
            return id;
        }
        self.all.push(flight);
        FlightId::try_from(self.all.len() - 1).expect("fewer than 2³² requests at a time")
    }

    /// One fewer place mentions it.
    pub(crate) fn forget(&mut self, id: FlightId) {
        let flight = self.get_mut(id);
        flight.mentions = flight.mentions.checked_sub(1).expect("each mention is forgotten once");
        self.release(id);
    }

    /// Gives its number away, if nobody needs it any more.
    pub(crate) fn release(&mut self, id: FlightId) {
        let flight = self.get_mut(id);
        if !flight.is_awaited && flight.mentions == 0 {
            self.vacant.push(id);
        }
    }

    pub(crate) fn get(&self, id: FlightId) -> &Flight {
        &self.all[id as usize]
    }

    pub(crate) fn get_mut(&mut self, id: FlightId) -> &mut Flight {
        &mut self.all[id as usize]
    }

    /// The instance of those for whom it holds is gone.
    pub(crate) fn leave(&mut self, is_of_it: impl Fn(&Flight) -> bool) {
        self.all.iter_mut().filter(|flight| is_of_it(flight)).for_each(|f| f.instance = None);
    }

    /// Those whose callers wait.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = (FlightId, &Flight)> {
        (0..).zip(&self.all).filter(|(_, flight)| flight.is_awaited)
    }
}
