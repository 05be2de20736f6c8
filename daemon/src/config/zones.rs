//! Zones named by the configuration, each read once.

use std::collections::BTreeMap;

use simbell_core::zone::ZoneRules;

use super::environment::Environment;
use super::section::{Field, Report, quoted};
use super::zoneinfo::{ZoneError, system_zone, zone_rules};

pub(super) struct Zones<'a> {
    env: &'a Environment,
    read: BTreeMap<String, ZoneRules>,
}

impl<'a> Zones<'a> {
    pub fn new(env: &'a Environment) -> Self {
        Self { env, read: BTreeMap::new() }
    }

    /// The zone that a value names.
    pub fn read(&mut self, field: &Field<'_>, report: &mut Report<'_>) -> Option<ZoneRules> {
        let name = field.line("the IANA name of a time zone such as \"Europe/Berlin\"", report)?;
        self.rules(name).map_err(|error| field.invalid(report, format!("{} {error}", quoted(name)))).ok()
    }

    /// The system's zone.
    pub fn system(&mut self) -> Result<ZoneRules, (String, ZoneError)> {
        let name = system_zone(&self.env.localtime, &self.env.timezone);
        self.rules(&name).map_err(|error| (name, error))
    }

    fn rules(&mut self, name: &str) -> Result<ZoneRules, ZoneError> {
        if let Some(rules) = self.read.get(name) {
            return Ok(rules.clone());
        }
        let rules = zone_rules(&self.env.zoneinfo_dir, name)?;
        self.read.insert(name.to_owned(), rules.clone());
        Ok(rules)
    }
}
