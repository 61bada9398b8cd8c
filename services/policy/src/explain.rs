//! What holds for one service, and where each value comes from: file and line, or what holds where no file says
//! anything.

mod layers;
mod metrics;
#[cfg(test)]
mod tests;
mod triggers;

use model::PolicyLoad;

use crate::{
    Attribution, EffectivePolicy, FreezeEffect, Mode, Neighbours, Place, Policy, Target, Unversioned,
    compile,
    compile::percent,
    yaml::{format_duration, parse},
};

use layers::Layers;

/// One value that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// As in the configuration reference: `triggers.error_rate.window`.
    pub key: String,
    pub value: String,
    /// `None`: the default.
    pub from: Option<Place>,
}

/// What holds for a service in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The policies that match, the most specific first: what each matches, and where it stands.
    pub policies: Vec<(String, Option<Place>)>,
    pub settings: Vec<Setting>,
}

/// Explains a load; `None` iff its main file has an error.
pub fn explain(load: &PolicyLoad, service: &str, environment: &str) -> Option<Explanation> {
    let policy = compile(load).0?;
    let roots: Vec<_> = load.files.iter().filter_map(|(name, text)| parse(name, text).ok()).collect();
    let layers = Layers::of(&policy, &roots, service, environment);
    let effective = policy.effective(service, environment);
    let mut rows = Rows::default();
    rows.mode(&effective, &layers);
    rows.owner(&effective, &layers);
    rows.targets(&effective, &layers);
    rows.limits(&effective, &layers);
    rows.attribution(&effective, &layers);
    rows.storm_and_freezes(&policy, &layers, service, environment);
    rows.triggers(&effective, &layers);
    rows.metrics(&policy, &layers, service, environment);
    let policies = layers.policies().map(|it| (it.rules.matching.to_string(), it.rules.place.clone()));
    Some(Explanation { policies: policies.collect(), settings: rows.0 })
}

#[derive(Default)]
struct Rows(Vec<Setting>);

impl Rows {
    fn add(&mut self, key: impl Into<String>, value: impl Into<String>, from: Option<Place>) {
        self.0.push(Setting { key: key.into(), value: value.into(), from });
    }

    fn mode(&mut self, effective: &EffectivePolicy, layers: &Layers<'_>) {
        let mode = match effective.mode {
            Some(Mode::Observe) => "observe",
            Some(Mode::Advise) => "advise",
            Some(Mode::Approve) => "approve",
            Some(Mode::Auto) => "auto",
            None if effective.targets.is_empty() => "advise, as there is no target",
            None => "auto where the action is a rollback, else advise",
        };
        self.add("mode", mode, layers.of_policy(&["mode"]));
        let unversioned = match effective.unversioned {
            Unversioned::Prepare => "prepare",
            Unversioned::Auto => "auto",
        };
        self.add("unversioned", unversioned, layers.of_policy(&["unversioned"]));
    }

    /// A policy's owner replaces the whole of another's.
    fn owner(&mut self, effective: &EffectivePolicy, layers: &Layers<'_>) {
        let owner = &effective.owner;
        let fields = [
            ("team", &owner.team),
            ("slack", &owner.slack),
            ("email", &owner.email),
            ("mention", &owner.mention),
        ];
        let given = fields.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?)));
        for (name, value) in given {
            self.add(format!("owner.{name}"), value, layers.of_policy_within("owner", name));
        }
        if fields.iter().all(|(_, value)| value.is_none()) {
            self.add("owner", "none", layers.of_policy(&["owner"]));
        }
    }

    fn targets(&mut self, effective: &EffectivePolicy, layers: &Layers<'_>) {
        let from = layers.of_policy(&["target", "targets"]);
        if effective.targets.is_empty() {
            self.add("target", "none, so that nothing is executed", from);
            return;
        }
        for (target, named) in effective.targets.iter().zip(effective.target_refs()) {
            let signed = match target {
                Target::Webhook { secret_file: Some(file), .. } => format!(", signed with {file}"),
                Target::Webhook { secret_file: None, .. } => ", unsigned".to_owned(),
                Target::Exec { .. } | Target::Kafka { .. } => String::new(),
            };
            let timeout = format_duration(named.timeout);
            let value = format!("{}{signed}, {timeout} for an attempt", named.name);
            self.add("target", value, from.clone());
        }
    }

    fn limits(&mut self, effective: &EffectivePolicy, layers: &Layers<'_>) {
        let defaults = &effective.defaults;
        self.add("watch", format_duration(defaults.watch), layers.of_watch());
        self.add(
            "watch.max",
            format_duration(defaults.watch_max),
            layers.of_main(&["defaults", "watch", "max"]),
        );
        self.add("warmup", format_duration(defaults.warmup), layers.of_policy_or_defaults("warmup"));
        self.add(
            "min_requests",
            defaults.min_requests.to_string(),
            layers.of_policy_or_defaults("min_requests"),
        );
        for (key, value) in [
            ("settle", defaults.settle),
            ("late", defaults.late),
            ("max_decision_age", defaults.max_decision_age),
            ("approval_expiry", defaults.approval_expiry),
        ] {
            self.add(key, format_duration(value), layers.of_main(&["defaults", key]));
        }
        let safety = &effective.safety;
        let cooldown = layers.of_policy_within("safety", "cooldown");
        self.add("safety.cooldown", format_duration(safety.cooldown), cooldown);
        let approvals = layers.of_policy_within("safety", "approvals");
        self.add("safety.approvals", safety.approvals.to_string(), approvals);
    }

    /// A policy's replaces the whole of another's; what it leaves away is as under `defaults`.
    fn attribution(&mut self, effective: &EffectivePolicy, layers: &Layers<'_>) {
        let Attribution { margin, neighbours, min_rise, min_traffic, within } =
            &effective.defaults.attribution;
        let neighbours = match neighbours {
            Neighbours::All => "all".to_owned(),
            Neighbours::None => "none".to_owned(),
            Neighbours::Only(names) => names.join(", "),
        };
        for (key, value) in [
            ("margin", margin.to_string()),
            ("neighbours", neighbours),
            ("min_rise", format!("{}%", percent(*min_rise))),
            ("min_traffic", format!("{}%", percent(*min_traffic))),
            ("within", format_duration(*within)),
        ] {
            let of_policy = layers.of_policy_within("attribution", key);
            let from = of_policy.or_else(|| layers.of_main(&["defaults", "attribution", key]));
            self.add(format!("attribution.{key}"), value, from);
        }
    }

    fn storm_and_freezes(&mut self, policy: &Policy, layers: &Layers<'_>, service: &str, environment: &str) {
        let storm = &policy.storm;
        for (key, value) in [
            ("max_rollbacks", storm.max_rollbacks.to_string()),
            ("per", format_duration(storm.per)),
            ("settle", format_duration(storm.settle)),
        ] {
            self.add(format!("storm.{key}"), value, layers.of_main(&["storm", key]));
        }
        for freeze in policy.freezes.iter().filter(|it| it.matching.may_cover(service, environment)) {
            let when = match freeze.time_intervals.as_slice() {
                [] => "always".to_owned(),
                names => format!("during {}", names.join(", ")),
            };
            let effects =
                [("promote", freeze.promote), ("rollback", freeze.rollback)].map(|(what, effect)| {
                    let effect = match effect {
                        FreezeEffect::Allow => "allow",
                        FreezeEffect::Approve => "approve",
                        FreezeEffect::Deny => "deny",
                    };
                    format!("{what} {effect}")
                });
            self.add("freeze", format!("{when}: {}", effects.join(", ")), freeze.place.clone());
        }
    }
}
