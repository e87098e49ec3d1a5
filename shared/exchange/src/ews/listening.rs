//! Told of changes as they happen, over a connection that we keep open.

use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;

use super::streaming::{Event, Splitter};
use super::{Ews, codes, requests};
use crate::{Answer, Fault, TIMEOUT, Watch, Why, time_zones};

/// How long nothing may be heard: Exchange says that it is there every 45 s.
const LONGEST_SILENCE: Duration = Duration::from_mins(2);

/// How many subscriptions one connection hears of: what Exchange takes
/// (<https://learn.microsoft.com/exchange/client-developer/exchange-web-services/how-to-maintain-affinity-between-group-of-subscriptions-and-mailbox-server>).
pub const MOST_AT_ONCE: usize = 200;

/// What is done with an event, and whether to go on.
pub type Heard<'a> = &'a mut (dyn FnMut(Event) -> ControlFlow<()> + Send);

impl Ews {
    /// A subscription to the calendar. It is forgotten by the server some minutes after nobody listens to it.
    ///
    /// # Errors
    /// [`Why::NoWatch`] when the mailbox gives none; it has to be asked from time to time then.
    pub fn subscribe(&self) -> Answer<'_, Watch> {
        Box::pin(async move {
            let message = self.ask(requests::subscribe(&self.account)).await?;
            let id = message.word("SubscriptionId").filter(|id| !id.is_empty());
            let id = id.ok_or_else(|| Fault::new(Why::Malformed, "a subscription without a number"))?;
            Ok(Watch { id: id.to_owned(), until: None })
        })
    }

    /// Ends a subscription; one that is not known any more has ended.
    ///
    /// # Errors
    /// When the server does not answer so.
    pub fn unsubscribe<'a>(&'a self, watch: &'a Watch) -> Answer<'a, ()> {
        Box::pin(async move {
            match self.ask(requests::unsubscribe(&watch.id)).await {
                Err(fault) if fault.why != Why::NoWatch => Err(fault),
                _ => Ok(()),
            }
        })
    }

    /// Hears of changes for that many minutes, 30 at most, or until `heard` has heard enough: of subscriptions that live on one server,
    /// [`MOST_AT_ONCE`] at most. After [`Event::Lost`] and [`Event::Closed`] nothing comes; the first wants other subscriptions.
    ///
    /// # Errors
    /// When the server cannot be heard, or falls silent. What happened since the last event is not known then.
    pub fn listen<'a>(&'a self, watches: &'a [Watch], minutes: u8, heard: Heard<'a>) -> Answer<'a, ()> {
        Box::pin(async move {
            let asked = requests::listen(watches.iter().map(|watch| watch.id.as_str()), minutes);
            let asked = requests::envelope(&self.account, time_zones::UTC, asked);
            let mut splitter = Splitter::default();
            let mut over = false;
            let mut take = |piece: Bytes| {
                for event in splitter.take(&piece) {
                    over |= matches!(event, Event::Lost(..) | Event::Closed);
                    if heard(event).is_break() || over {
                        over = true;
                        return ControlFlow::Break(());
                    }
                }
                ControlFlow::Continue(())
            };
            let answer =
                self.session.listen(self.headers(), Bytes::from(asked), TIMEOUT, LONGEST_SILENCE, &mut take).await;
            let answer = answer.map_err(|fault| Fault { perhaps_done: false, ..fault })?;
            self.route.affinity.keep(answer.headers());
            if !answer.status().is_success() {
                let fault = codes::of_status(answer.status(), answer.headers());
                return Err(Fault { perhaps_done: false, ..fault });
            }
            match splitter.end() {
                Some(event) if !over => {
                    let _ = heard(event);
                }
                _ => {}
            }
            Ok(())
        })
    }
}
