//! Answers that come in parts.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use super::{Client, ClientError};
use crate::backup::BackupsPage;
use crate::carrier::{BilledPage, CorrectionsPage, EntriesParams, ObservationsPage};
use crate::method::{
    ChannelsPage, GetUsageParams, Method, PageParams, PlansPage, RemindersPage, RulesPage, SimsPage,
};
use crate::plugin::PluginsPage;

/// Replies that keep coming.
#[derive(Debug)]
pub struct Stream<T> {
    client: Client,
    ended: bool,
    item: PhantomData<T>,
}

impl<T: DeserializeOwned> Stream<T> {
    pub(super) fn new(client: Client) -> Self {
        Self { client, ended: false, item: PhantomData }
    }

    /// The next reply; none when the service has said all.
    ///
    /// # Errors
    /// What the service refused, or that the connection was lost.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        if self.ended {
            return Ok(None);
        }
        match self.client.receive().await {
            Ok((value, continues)) => {
                self.ended = !continues;
                self.client.decode("a stream", value).map(Some)
            }
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    /// What a difference between the two versions means; none when equal.
    #[must_use]
    pub fn skew(&self) -> Option<String> {
        self.client.skew()
    }
}

/// A list that comes in pages.
pub trait Pages: DeserializeOwned {
    /// What it lists.
    type Item;
    /// What it is asked by.
    type Params: Serialize + Onward;
    /// The method that gives it.
    const METHOD: Method;

    /// The items of this page, and where the next begins.
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

/// A question that is asked page by page.
pub trait Onward {
    /// Where the next page begins; none for the first.
    fn after(&mut self) -> &mut Option<String>;
}

macro_rules! onward {
    ($($params:ident)+) => {$(
        impl Onward for $params {
            fn after(&mut self) -> &mut Option<String> {
                &mut self.after
            }
        }
    )+};
}

onward! { PageParams EntriesParams GetUsageParams }

macro_rules! pages {
    ($($params:ident: $page:ident, $field:ident, $item:ident, $method:ident;)+) => {$(
        impl Pages for $page {
            type Item = crate::$item;
            type Params = $params;
            const METHOD: Method = Method::$method;

            fn into_parts(self) -> (Vec<Self::Item>, Option<String>) {
                (self.$field, self.next)
            }
        }
    )+};
}

pages! {
    PageParams: SimsPage, sims, Sim, ListSims;
    PageParams: PlansPage, plans, Plan, ListPlans;
    PageParams: RulesPage, rules, Rule, ListRules;
    PageParams: PluginsPage, plugins, Plugin, ListPlugins;
    PageParams: RemindersPage, reminders, Reminder, ListReminders;
    PageParams: ChannelsPage, channels, Channel, ListChannels;
    PageParams: BackupsPage, backups, Backup, ListBackups;
    GetUsageParams: BilledPage, spans, BilledSpan, GetBilled;
    EntriesParams: CorrectionsPage, corrections, Correction, ListCorrections;
    EntriesParams: ObservationsPage, observations, Observation, ListObservations;
}
