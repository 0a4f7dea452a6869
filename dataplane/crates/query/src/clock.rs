//! The deadline, looked at often and cheaply.

use std::cell::Cell;
use std::time::Instant;

/// The time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expired;

/// Asked in every loop whose length the caller does not bound.
#[derive(Debug)]
pub(crate) struct Clock {
    deadline: Instant,
    ticks: Cell<u32>,
}

impl Clock {
    /// How many cheap ticks go between two looks at the real clock.
    const TICKS_PER_LOOK: u32 = 128;

    pub(crate) fn new(deadline: Instant) -> Clock {
        Clock { deadline, ticks: Cell::new(0) }
    }

    /// For work of well under a microsecond: looks at the clock every now and then.
    pub(crate) fn tick(&self) -> Result<(), Expired> {
        let ticks = self.ticks.get() + 1;
        self.ticks.set(ticks % Self::TICKS_PER_LOOK);
        if ticks == Self::TICKS_PER_LOOK { self.look() } else { Ok(()) }
    }

    /// For work of a microsecond and more.
    pub(crate) fn look(&self) -> Result<(), Expired> {
        if Instant::now() < self.deadline { Ok(()) } else { Err(Expired) }
    }
}
