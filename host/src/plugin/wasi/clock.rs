//! The time as stubs have it: it depends on what the plugin did, and on nothing else. And waiting, which takes no time.

use wasmtime::component::{ComponentType, LinkerInstance, Lower, Resource, WasmList};

use super::{
    super::state::{State, broken},
    Store,
};

/// Nanoseconds that pass from one look to the next.
const STEP: u64 = 1000;
/// Nanoseconds that lie between partitions; and whoever waits for longer is woken early.
const HOUR: u64 = 3600 * 1_000_000_000;
/// Pollables that can be waited for at once: as many as an instance can have handles.
const MAX_POLLABLES: usize = 100_000;

/// Handles of what can be waited for. All of it has happened.
pub(super) enum Pollable {}

pub(super) fn ready() -> Resource<Pollable> {
    Resource::new_own(0)
}

/// Nanoseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Clock(u64);

impl Clock {
    /// Begins a partition: with an hour of its own, whichever the instance had before. As it gets them in order, the clock is
    /// never set back, and as long as it waits for less than an hour in each, the time in none depends on others.
    pub(super) fn start(&mut self, partition: Option<u64>) {
        if let Some(partition) = partition {
            self.0 = self.0.max(partition.saturating_add(1).saturating_mul(HOUR));
        }
    }

    fn look(&mut self) -> u64 {
        self.0 = self.0.saturating_add(STEP);
        self.0
    }

    /// Goes on to this time at once.
    fn wait_until(&mut self, when: u64) {
        self.0 = self.0.max(when.min(self.0.saturating_add(HOUR)));
    }

    fn wait_for(&mut self, n_nanoseconds: u64) {
        self.wait_until(self.0.saturating_add(n_nanoseconds));
    }
}

/// `datetime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

impl Datetime {
    fn of(nanoseconds: u64) -> Self {
        let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
        Self { seconds, nanoseconds: u32::try_from(rest).expect("a second has 10^9 of them") }
    }
}

/// Defines a function of the clocks or of polling, if there is a stub for it.
pub(super) fn define(
    instance: &mut LinkerInstance<'_, State>,
    interface: &str,
    function: &str,
) -> wasmtime::Result<bool> {
    match (interface, function) {
        ("wasi:clocks/monotonic-clock", "now") => {
            instance.func_wrap(function, |mut store: Store<'_>, ()| Ok((store.data_mut().stubs.clock.look(),)))
        }
        ("wasi:clocks/monotonic-clock", "resolution") => instance.func_wrap(function, |_: Store<'_>, ()| Ok((STEP,))),
        // Whoever asks for a time to wait for has waited.
        ("wasi:clocks/monotonic-clock", "subscribe-instant") => {
            instance.func_wrap(function, |mut store: Store<'_>, (when,): (u64,)| {
                store.data_mut().stubs.clock.wait_until(when);
                Ok((ready(),))
            })
        }
        ("wasi:clocks/monotonic-clock", "subscribe-duration") => {
            instance.func_wrap(function, |mut store: Store<'_>, (duration,): (u64,)| {
                store.data_mut().stubs.clock.wait_for(duration);
                Ok((ready(),))
            })
        }
        ("wasi:clocks/wall-clock", "now") => instance
            .func_wrap(function, |mut store: Store<'_>, ()| Ok((Datetime::of(store.data_mut().stubs.clock.look()),))),
        ("wasi:clocks/wall-clock", "resolution") => {
            instance.func_wrap(function, |_: Store<'_>, ()| Ok((Datetime::of(STEP),)))
        }
        ("wasi:io/poll", "[method]pollable.ready") => {
            instance.func_wrap(function, |_: Store<'_>, (_,): (Resource<Pollable>,)| Ok((true,)))
        }
        ("wasi:io/poll", "[method]pollable.block") => {
            instance.func_wrap(function, |_: Store<'_>, (_,): (Resource<Pollable>,)| Ok(()))
        }
        ("wasi:io/poll", "poll") => {
            instance.func_wrap(function, |mut store: Store<'_>, (pollables,): (WasmList<Resource<Pollable>>,)| {
                Ok((poll(&mut store, pollables.len())?,))
            })
        }
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Which of these are ready: all.
fn poll(store: &mut Store<'_>, n_pollables: usize) -> wasmtime::Result<Vec<u32>> {
    match n_pollables {
        0 => Err(broken(store, "polls nothing at all, and would wait for ever".to_owned())),
        1..=MAX_POLLABLES => Ok((0..).take(n_pollables).collect()),
        _ => Err(broken(store, format!("polls {n_pollables} handles at once, at most {MAX_POLLABLES} are allowed"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_with_each_look_and_with_waiting() {
        let mut clock = Clock::default();
        assert_eq!((clock.look(), clock.look()), (1000, 2000));
        clock.wait_for(500);
        assert_eq!(clock.look(), 3500);
        clock.wait_until(3000);
        assert_eq!(clock.look(), 4500);
        clock.wait_for(u64::MAX);
        assert_eq!(clock.look(), HOUR + 5500);
    }

    #[test]
    fn a_partition_has_its_time_whatever_was_before_it() {
        let (mut late, mut early) = (Clock::default(), Clock::default());
        early.start(Some(2));
        early.wait_for(HOUR / 2);
        early.start(None);
        for clock in [&mut early, &mut late] {
            clock.start(Some(7));
            assert_eq!(clock.look(), 8 * HOUR + STEP);
        }
        late.start(Some(u64::MAX));
        assert_eq!((late.look(), late.look()), (u64::MAX, u64::MAX));
        assert_eq!(Datetime::of(1_000_002_000), Datetime { seconds: 1, nanoseconds: 2000 });
        let _largest = Datetime::of(u64::MAX);
    }
}
