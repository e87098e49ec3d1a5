//! One of our appointments beside its item elsewhere: three ways, by what both agreed on last.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Face, Item, Mirror, RemoteId, Tag, Version};

/// How often in a row the looks of an item are written over what somebody else made of them. Then somebody, or some program, wants them
/// otherwise, and the staff are asked.
pub const MOST_OVERWRITES: u32 = 3;

/// An appointment and its item elsewhere, as they were left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose it is, and what its item carries.
    pub tag: Tag,
    /// The item; none before it is made, or when it is not known whether it was.
    pub remote: Option<RemoteId>,
    /// The item's state after our last look or write.
    pub version: Option<Version>,
    /// How the item looked when both sides last agreed.
    pub agreed: Option<Face>,
    /// Where it stands.
    pub state: State,
    /// How often in a row ours was written over theirs.
    pub overwrites: u32,
}

impl Link {
    /// Of an appointment whose item was never made.
    pub const fn new(tag: Tag) -> Self {
        Self { tag, remote: None, version: None, agreed: None, state: State::Making, overwrites: 0 }
    }
}

/// Where a link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The item is to be made, or perhaps was: it is looked for by its tag first.
    Making,
    /// Both sides have it.
    Linked,
    /// The staff are asked whether to follow what was done elsewhere.
    Proposed(Proposal),
    /// It cannot be told what became of the item. Nothing is concluded, and the staff are asked.
    Doubtful(Doubt),
}

/// What was done elsewhere, for the staff to follow or to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proposal {
    /// The item has another time.
    Moved {
        /// First instant.
        starts_at: Timestamp,
        /// First instant after.
        ends_at: Timestamp,
    },
    /// The item was taken away.
    Removed,
}

/// Why nothing is concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Too much is missing from the answer for it to be believed.
    Shrunk,
    /// The item could not be read.
    Unreadable,
    /// Somebody keeps changing its looks back.
    Contended,
}

/// What is known of the item now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed<'a> {
    /// Nothing new.
    Unread,
    /// It is so.
    Here(&'a Item),
    /// The calendar answers, was asked for this very item, and has none.
    Absent,
    /// It should have been in an answer and was not, and that answer is not believed.
    Missing(Doubt),
}

/// What an establishment leaves to the calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Rules {
    /// Whether a visit follows its item to a time where it may be. It never goes with it: that an item is gone calls nothing off.
    pub follow_moves: bool,
    /// Whether what is provisional counts as busy.
    pub tentative: bool,
}

/// What to do for one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Nothing,
    /// Both sides are alike: to be remembered with the item's state.
    Agree(Version, Face),
    /// To make an item; one more `generation` when there was one that is gone.
    Make {
        /// Of the item's tag.
        generation: u32,
    },
    /// To make the item what the appointment is.
    Write {
        /// The item.
        id: RemoteId,
        /// The state it must still be in.
        version: Version,
        /// How often in a row that is.
        overwrites: u32,
    },
    /// To take the item away.
    Remove {
        /// The item.
        id: RemoteId,
        /// The state it must still be in.
        version: Version,
    },
    /// There is nothing on either side any more.
    Forget,
    /// To move the visit where its item is; when it may not be there, to ask the staff.
    Follow(Box<Item>),
    /// To ask the staff.
    Propose(Proposal, Option<Version>),
    /// To conclude nothing and tell the staff.
    Doubt(Doubt),
}

/// What to do for a link. `wanted` is what its item shall be, none when the appointment is not to be in that calendar: called off, or
/// gone to another practitioner. What was agreed with a family stands: an appointment is called off by nothing that is seen here.
pub fn decide(wanted: Option<&Mirror>, link: &Link, observed: Observed<'_>, rules: Rules) -> Decision {
    let Some(wanted) = wanted else { return unwanted(link, observed) };
    let face = wanted.face();
    let ours_changed = link.agreed.is_none_or(|agreed| agreed != face);
    let (Some(id), Some(version)) = (&link.remote, &link.version) else {
        return Decision::Make { generation: link.tag.generation };
    };
    match observed {
        Observed::Here(item) if item.cancelled => absent(link, ours_changed),
        Observed::Here(item) => here(face, link, item, rules),
        Observed::Absent => absent(link, ours_changed),
        Observed::Missing(doubt) => match link.state {
            State::Doubtful(_) | State::Proposed(_) => Decision::Nothing,
            State::Making | State::Linked => Decision::Doubt(doubt),
        },
        // What is not known to be there is not written to, until the staff have said what to make of it.
        Observed::Unread if matches!(link.state, State::Doubtful(_)) => Decision::Nothing,
        Observed::Unread if ours_changed => {
            Decision::Write { id: id.clone(), version: version.clone(), overwrites: link.overwrites }
        }
        Observed::Unread => Decision::Nothing,
    }
}

fn unwanted(link: &Link, observed: Observed<'_>) -> Decision {
    match (observed, &link.remote, &link.version) {
        (Observed::Absent, ..) | (_, None, _) | (_, _, None) => Decision::Forget,
        (Observed::Here(item), ..) => Decision::Remove { id: item.id.clone(), version: item.version.clone() },
        (_, Some(id), Some(version)) => Decision::Remove { id: id.clone(), version: version.clone() },
    }
}

/// The item is not there and the appointment is.
fn absent(link: &Link, ours_changed: bool) -> Decision {
    if ours_changed {
        // Agreed on anew since: what was taken away is not what is wanted now.
        return Decision::Make { generation: link.tag.generation + 1 };
    }
    match link.state {
        State::Proposed(Proposal::Removed) => Decision::Nothing,
        _ => Decision::Propose(Proposal::Removed, None),
    }
}

/// The item is there and so is the appointment.
fn here(face: Face, link: &Link, item: &Item, rules: Rules) -> Decision {
    if item.face == face {
        let known =
            link.version.as_ref() == Some(&item.version) && link.agreed == Some(face) && link.state == State::Linked;
        return if known { Decision::Nothing } else { Decision::Agree(item.version.clone(), face) };
    }
    let ours_changed = link.agreed.is_none_or(|agreed| agreed != face);
    let moved = link.agreed.is_none_or(|agreed| !agreed.same_time(&item.face));
    let write = |overwrites| Decision::Write { id: item.id.clone(), version: item.version.clone(), overwrites };
    if ours_changed {
        // Ours stands, whatever was done elsewhere meanwhile.
        return write(0);
    }
    if !moved {
        return if link.overwrites < MOST_OVERWRITES { write(link.overwrites + 1) } else { contended(link) };
    }
    let (starts_at, ends_at) = (item.face.starts_at, item.face.ends_at);
    let proposal = Proposal::Moved { starts_at, ends_at };
    if link.state == State::Proposed(proposal) {
        return Decision::Nothing;
    }
    if rules.follow_moves && item.face.during().is_some() {
        return Decision::Follow(Box::new(item.clone()));
    }
    Decision::Propose(proposal, Some(item.version.clone()))
}

/// What the staff say when ours shall stand: it is written again, made anew, or, where it was in doubt, looked at again.
pub fn undo(link: &mut Link) {
    match link.state {
        State::Proposed(Proposal::Moved { starts_at, ends_at }) => {
            // That it is there is known now; so it is ours that differs.
            if let Some(agreed) = &mut link.agreed {
                (agreed.starts_at, agreed.ends_at) = (starts_at, ends_at);
            }
            link.state = State::Linked;
        }
        State::Proposed(Proposal::Removed) => {
            *link = Link::new(Tag { generation: link.tag.generation + 1, ..link.tag });
        }
        State::Doubtful(Doubt::Contended) => {
            link.agreed = link.agreed.map(|agreed| Face { text: Uuid::nil(), ..agreed });
            (link.state, link.overwrites) = (State::Linked, 0);
        }
        State::Doubtful(Doubt::Shrunk | Doubt::Unreadable) => link.state = State::Linked,
        State::Making | State::Linked => {}
    }
}

fn contended(link: &Link) -> Decision {
    match link.state {
        State::Doubtful(Doubt::Contended) => Decision::Nothing,
        _ => Decision::Doubt(Doubt::Contended),
    }
}
