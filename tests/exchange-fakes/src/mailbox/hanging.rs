//! Connections over which somebody is told of changes, and their end.

use super::Server;

/// How they all end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    /// With a word.
    Closed,
    /// Without.
    Cut,
}

#[derive(Default)]
pub(super) struct All {
    count: usize,
    /// How often all were ended, and how the last time.
    ended: u64,
    how: Option<Parting>,
}

/// One of them, which hangs until this is dropped.
pub struct Hanging {
    server: Server,
    ended: u64,
}

impl Server {
    /// One more, if there are not as many yet.
    pub(crate) fn hang(&self, most: usize) -> Option<Hanging> {
        let mut state = self.state();
        if state.hanging.count >= most {
            return None;
        }
        state.hanging.count += 1;
        Some(Hanging { server: self.clone(), ended: state.hanging.ended })
    }

    /// How many hang.
    pub fn hanging(&self) -> usize {
        self.state().hanging.count
    }

    /// Ends all of them.
    pub fn part(&self, how: Parting) {
        {
            let hanging = &mut self.state().hanging;
            hanging.ended += 1;
            hanging.how = Some(how);
        }
        self.changed().notify_waiters();
    }
}

impl Hanging {
    /// How it was ended.
    pub(crate) fn parted(&self) -> Option<Parting> {
        let state = self.server.state();
        state.hanging.how.filter(|_| state.hanging.ended > self.ended)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        self.server.state().hanging.count -= 1;
    }
}
