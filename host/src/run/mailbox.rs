//! Where a run leaves its results, and where somebody waits for them: a thread or a future.
//!
//! Nobody's patience is tried: a partial result is made only when one is wanted, so that workers do not wait for whoever
//! takes them, and whoever is slow gets newer ones instead of all. The end is always kept.

use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use super::{Outcome, RunError};

/// See the module.
#[derive(Default)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether somebody waits for a partial result.
    wanted: bool,
    partial: Option<Outcome>,
    end: Option<Result<Outcome, RunError>>,
    has_ended: bool,
    waker: Option<Waker>,
}

impl Mailbox {
    /// Whether a partial result would be taken.
    pub(super) fn wants_partial(&self) -> bool {
        let state = self.lock();
        state.wanted && !state.has_ended
    }

    /// Leaves a partial result.
    pub(super) fn put_partial(&self, partial: Outcome) {
        let mut state = self.lock();
        if state.has_ended {
            return;
        }
        state.wanted = false;
        state.partial = Some(partial);
        self.tell(state);
    }

    /// Leaves the end of the run. The first end counts.
    pub(super) fn put_end(&self, end: Result<Outcome, RunError>) {
        let mut state = self.lock();
        if state.has_ended {
            return;
        }
        state.has_ended = true;
        state.partial = None;
        state.end = Some(end);
        self.tell(state);
    }

    /// Whether the run has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().has_ended
    }

    /// The end of the run. Blocks until it is there; none if it was taken.
    pub(super) fn wait_for_end(&self) -> Option<Result<Outcome, RunError>> {
        let mut state = self.lock();
        while !state.has_ended {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.end.take()
    }

    /// The next partial result, at last the end. Blocks until one is there; none after the end.
    pub(super) fn wait_for_next(&self) -> Option<Result<Outcome, RunError>> {
        let mut state = self.lock();
        loop {
            if let Poll::Ready(next) = state.take_next() {
                return next;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The end of the run if it is there; otherwise wakes `waker` when it is.
    pub(super) fn poll_end(&self, waker: &Waker) -> Poll<Option<Result<Outcome, RunError>>> {
        let mut state = self.lock();
        if state.has_ended {
            return Poll::Ready(state.end.take());
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }

    /// The next partial result or the end if it is there; otherwise wakes `waker` when it is.
    pub(super) fn poll_next(&self, waker: &Waker) -> Poll<Option<Result<Outcome, RunError>>> {
        let mut state = self.lock();
        let next = state.take_next();
        if next.is_pending() {
            state.waker = Some(waker.clone());
        }
        next
    }

    /// Says that a partial result is wanted. Whether that is news: none is there, and nobody has said so before.
    pub(super) fn want_partial(&self) -> bool {
        let mut state = self.lock();
        let is_news = !state.wanted && state.partial.is_none() && !state.has_ended;
        state.wanted |= is_news;
        is_news
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, mut state: MutexGuard<'_, State>) {
        let waker = state.waker.take();
        drop(state);
        self.changed.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    fn take_next(&mut self) -> Poll<Option<Result<Outcome, RunError>>> {
        if let Some(partial) = self.partial.take() {
            return Poll::Ready(Some(Ok(partial)));
        }
        if self.has_ended { Poll::Ready(self.end.take()) } else { Poll::Pending }
    }
}
