//! Hearing of changes from servers of a house's own: each tells them over a connection that is held open, of many mailboxes at once.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use domain::ids::{ExchangeServerId, MailboxId};
use exchange::ews::{Event, Ews};
use exchange::{Fault, Watch, Why};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use super::settings::{Address, Opened, Settings};
use crate::{Ctx, pace};

pub use exchange::ews::MOST_AT_ONCE;

/// For how many minutes a connection is asked for: the fewest there are. A function does not run for long, and what the server has closed by
/// itself has told everything.
const MINUTES: u8 = 1;
/// A server that has not closed it by then does not keep to that.
const LONGEST: Duration = Duration::from_secs(75);
/// No subscription is asked for later: one that is answered late keeps all others waiting.
const SUBSCRIBING: Duration = Duration::from_secs(45);
/// How many subscriptions are asked for at once. Each is of another mailbox.
const AT_ONCE: usize = 4;
/// What cannot be watched is tried again after so long, in seconds: somebody may have let us.
const UNWATCHED_SECONDS: u64 = 3600;
/// Where somebody has to do something first, it is not tried more often, in seconds: a refused password locks accounts.
const REFUSED_SECONDS: u64 = 900;

/// A mailbox that is to be heard of.
#[derive(Deserialize)]
pub struct Member {
    mailbox: MailboxId,
    server: ExchangeServerId,
    wrapped_key: String,
    settings: String,
    address: String,
    /// The subscription of which everything was heard so far.
    watch: Option<String>,
}

impl Member {
    /// It was not come to.
    const fn waits(&self) -> Ended {
        Ended { mailbox: self.mailbox, resumes: self.watch.is_some(), failed: false, rest_seconds: 0 }
    }
}

/// How it ended for one mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ended {
    mailbox: MailboxId,
    /// Whether everything its subscription told was heard, so that it may go on.
    resumes: bool,
    failed: bool,
    /// How long it is left alone at least.
    rest_seconds: u64,
}

/// A subscription of one mailbox.
#[derive(Debug, Serialize)]
pub struct Subscribed {
    mailbox: MailboxId,
    watch: String,
    /// Whether it is new, so that nobody was told of what was before.
    anew: bool,
}

/// Mailboxes of one server whose subscriptions are heard over one connection.
pub struct Listener {
    server: ExchangeServerId,
    /// One of them: the connection is asked for by whoever may.
    calendar: Option<Ews>,
    subscribed: Vec<Subscribed>,
    without: Vec<Ended>,
}

fn failed(mailbox: MailboxId, fault: &Fault) -> Ended {
    let least = match fault.why {
        Why::NoWatch | Why::Refused | Why::NoMailbox => UNWATCHED_SECONDS,
        Why::Unauthenticated | Why::Forbidden => REFUSED_SECONDS,
        _ => 0,
    };
    let asked = fault.retry_after.map_or(0, |wait| wait.as_secs());
    Ended { mailbox, resumes: false, failed: true, rest_seconds: least.max(asked) }
}

/// All of a connection that could not be had.
pub fn none_begun(members: &[Member], fault: &Fault) -> Vec<Ended> {
    tracing::warn!(why = %fault.why, code = fault.code, mailboxes = members.len(), "calendars are not listened to");
    members.iter().map(|member| failed(member.mailbox, fault)).collect()
}

impl Listener {
    /// Subscribes to mailboxes of one server, [`MOST_AT_ONCE`] at most, but for those whose subscription goes on.
    ///
    /// # Errors
    /// When none can be had: for a reason that holds for all of them.
    pub async fn begin(ctx: &Ctx, members: &[Member]) -> Result<Self, Fault> {
        let (all, without) = opened(ctx, members).await?;
        let Some((first, calendar)) = all.first() else { return Err(sealed()) };
        let (server, began) = (first.server, Instant::now());
        let mut listener = Self { server, calendar: None, subscribed: Vec::new(), without };
        // By the first it is seen whether the server lets us in at all.
        let watch = subscription(first, calendar).await;
        if let Err(fault) = &watch
            && concerns_all(fault)
        {
            ctx.exchange.forget_route(server);
            return Err(fault.clone());
        }
        listener.note(first, watch);
        for some in all.get(1..).unwrap_or_default().chunks(AT_ONCE) {
            if began.elapsed() > SUBSCRIBING {
                listener.without.extend(some.iter().map(|(member, _)| member.waits()));
                continue;
            }
            let watches = join_all(some.iter().map(|(member, calendar)| subscription(member, calendar))).await;
            for ((member, _), watch) in some.iter().zip(watches) {
                listener.note(member, watch);
            }
        }
        let asks = listener.subscribed.first().map(|one| one.mailbox);
        listener.calendar =
            all.into_iter().find(|(member, _)| asks == Some(member.mailbox)).map(|(_, calendar)| calendar);
        Ok(listener)
    }

    fn note(&mut self, member: &Member, watch: Result<String, Fault>) {
        let mailbox = member.mailbox;
        match watch {
            Ok(watch) => self.subscribed.push(Subscribed { mailbox, watch, anew: member.watch.is_none() }),
            Err(fault) => {
                tracing::warn!(%mailbox, why = %fault.why, code = fault.code, "a calendar is not listened to");
                self.without.push(failed(mailbox, &fault));
            }
        }
    }

    /// The subscriptions that there are.
    pub fn subscribed(&self) -> &[Subscribed] {
        &self.subscribed
    }

    /// Tells which mailboxes changed until the connection ends, in little more than a minute; then, how it ended for each.
    pub async fn listen(self, ctx: &Ctx, tell: impl Fn(MailboxId) + Send + Sync) -> Vec<Ended> {
        let of: HashMap<&str, MailboxId> =
            self.subscribed.iter().map(|one| (one.watch.as_str(), one.mailbox)).collect();
        let mut end = None;
        let mut heard = |event| {
            match event {
                Event::Changed(named) if named.is_empty() => of.values().for_each(|mailbox| tell(*mailbox)),
                Event::Changed(named) => named.iter().filter_map(|id| of.get(id.as_str())).for_each(|one| tell(*one)),
                Event::Heartbeat => {}
                last => end = Some(last),
            }
            std::ops::ControlFlow::Continue(())
        };
        let watches: Vec<Watch> =
            self.subscribed.iter().map(|one| Watch { id: one.watch.clone(), until: None }).collect();
        let mut ended = self.without.clone();
        let Some(calendar) = &self.calendar else { return ended };
        let answer = pace::timeout(LONGEST, calendar.listen(&watches, MINUTES, &mut heard)).await;
        let broken = |code: &str| Fault::new(Why::Unavailable, code);
        let (fault, named) = match (answer, end) {
            (Ok(Ok(())), Some(Event::Closed)) => (None, Vec::new()),
            (Ok(Ok(())), Some(Event::Lost(fault, named))) => (Some(fault), named),
            (Ok(Ok(())), _) => (Some(broken("the answer ended without a word")), Vec::new()),
            (Ok(Err(fault)), _) => (Some(fault), Vec::new()),
            (Err(_), _) => (Some(broken("the answer does not end")), Vec::new()),
        };
        let ours = |named: &String| of.contains_key(named.as_str());
        let named: Vec<String> = named.into_iter().filter(ours).collect();
        if let Some(fault) = &fault {
            tracing::warn!(why = %fault.why, code = fault.code, mailboxes = watches.len(), "calendars are not listened to any more");
            // What it named is known nowhere; the others may live where the way leads.
            if named.is_empty() {
                ctx.exchange.forget_route(self.server);
            }
        }
        ended.extend(self.subscribed.iter().map(|one| one.ended(fault.as_ref(), &named)));
        ended
    }
}

impl Subscribed {
    /// How it ended: with a fault, for those that it names or for all.
    fn ended(&self, fault: Option<&Fault>, named: &[String]) -> Ended {
        let mailbox = self.mailbox;
        let named: HashSet<&str> = named.iter().map(String::as_str).collect();
        match fault {
            // It is gone: another is asked for.
            Some(fault) if named.contains(self.watch.as_str()) || (named.is_empty() && fault.why == Why::NoWatch) => {
                Ended { rest_seconds: 0, ..failed(mailbox, fault) }
            }
            Some(fault) if named.is_empty() => failed(mailbox, fault),
            _ => Ended { mailbox, resumes: true, failed: false, rest_seconds: 0 },
        }
    }
}

fn sealed() -> Fault {
    Fault::new(Why::Unauthenticated, "the settings do not open")
}

/// The calendars of mailboxes of one server, all by one way, and the mailboxes whose address does not open.
async fn opened<'m>(ctx: &Ctx, members: &'m [Member]) -> Result<(Vec<(&'m Member, Ews)>, Vec<Ended>), Fault> {
    let (mut all, mut without) = (Vec::with_capacity(members.len()), Vec::new());
    let Some(first) = members.first() else { return Ok((all, without)) };
    let settings = Settings::open(&ctx.keys, first.server, &first.wrapped_key, &first.settings).await;
    let settings = settings.map_err(|_| sealed())?;
    for member in members {
        let address =
            Address::open(&ctx.keys, member.server, &member.wrapped_key, member.mailbox, &member.address).await;
        let Ok(address) = address else {
            without.push(failed(member.mailbox, &sealed()));
            continue;
        };
        // Where its owner works is nothing that is asked about here.
        match ctx.exchange.open(&settings, &address, "UTC").await? {
            Opened::Ews(calendar) => all.push((member, calendar.by(&ctx.exchange.route(member.server, &address)))),
            Opened::Graph(_) => return Err(Fault::new(Why::NoWatch, "not a server that is listened to")),
        }
    }
    Ok((all, without))
}

async fn subscription(member: &Member, calendar: &Ews) -> Result<String, Fault> {
    match &member.watch {
        Some(watch) => Ok(watch.clone()),
        None => calendar.subscribe().await.map(|watch| watch.id),
    }
}

/// Whether who refuses one mailbox would refuse any.
const fn concerns_all(fault: &Fault) -> bool {
    matches!(fault.why, Why::Unauthenticated | Why::Throttled | Why::Unavailable | Why::Malformed)
}
