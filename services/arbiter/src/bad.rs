//! Versions that were pulled back: no command may lead to one until a person clears it.

use std::collections::BTreeMap;

use model::{BadVersion, ServiceKey, is_same_version};

use crate::bounds::{MAX_BAD_VERSIONS_PER_SERVICE, MAX_PLACES};

#[derive(Debug, Default)]
pub(crate) struct BadVersions {
    by_service: BTreeMap<ServiceKey, Vec<BadVersion>>,
}

impl BadVersions {
    /// Marks a version; what had to be forgotten for it, or `None` if it was marked already.
    pub(crate) fn mark(&mut self, bad: BadVersion) -> Option<Vec<BadVersion>> {
        let mut forgotten = Vec::new();
        if !self.by_service.contains_key(&bad.key) && self.by_service.len() >= MAX_PLACES {
            forgotten = self.forget_quietest();
        }
        let versions = self.by_service.entry(bad.key.clone()).or_default();
        let is_same = |have: &BadVersion| {
            (&have.version, &have.digest, &have.cluster) == (&bad.version, &bad.digest, &bad.cluster)
        };
        if versions.iter().any(is_same) {
            return None;
        }
        versions.push(bad);
        if versions.len() > MAX_BAD_VERSIONS_PER_SERVICE {
            forgotten.push(versions.remove(0));
        }
        Some(forgotten)
    }

    fn forget_quietest(&mut self) -> Vec<BadVersion> {
        let marked = |versions: &[BadVersion]| versions.last().map(|bad| bad.since);
        let quietest = self.by_service.iter().min_by_key(|(_, versions)| marked(versions));
        let quietest = quietest.map(|(key, _)| key.clone());
        quietest.and_then(|key| self.by_service.remove(&key)).unwrap_or_default()
    }

    /// Clears a version by its name, in all clusters; what was cleared.
    pub(crate) fn clear(&mut self, key: &ServiceKey, version: &str) -> Vec<BadVersion> {
        let Some(versions) = self.by_service.get_mut(key) else { return Vec::new() };
        let cleared = versions.extract_if(.., |bad| is_same_version(&bad.version, version)).collect();
        if versions.is_empty() {
            self.by_service.remove(key);
        }
        cleared
    }

    /// Why `version` may not be a target: its name is bad, or its content is under whatever name.
    pub(crate) fn find(&self, key: &ServiceKey, version: &str, digest: Option<&str>) -> Option<&BadVersion> {
        let versions = self.by_service.get(key)?;
        versions.iter().find(|bad| {
            is_same_version(&bad.version, version) || (digest.is_some() && bad.digest.as_deref() == digest)
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &BadVersion> {
        self.by_service.values().flatten()
    }

    pub(crate) fn state(&self) -> Vec<BadVersion> {
        self.iter().cloned().collect()
    }

    pub(crate) fn from_state(state: Vec<BadVersion>) -> Self {
        let mut versions = Self::default();
        for bad in state {
            versions.by_service.entry(bad.key.clone()).or_default().push(bad);
        }
        versions
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn bad(version: &str, digest: Option<&str>) -> BadVersion {
        BadVersion {
            key: ServiceKey::new("checkout", "production"),
            cluster: None,
            version: version.into(),
            digest: digest.map(str::to_owned),
            why: String::new(),
            since: Timestamp::default(),
        }
    }

    #[test]
    fn a_version_is_bad_by_its_name_and_by_its_content() {
        let (mut versions, key) = (BadVersions::default(), ServiceKey::new("checkout", "production"));
        versions.mark(bad("2.4.1", Some("sha256:a")));
        for (version, digest, expected, why) in [
            ("2.4.1", None, true, "by name where no digest is known"),
            ("2.4.1", Some("sha256:b"), true, "by name even where the digest differs: the name is ambiguous"),
            ("latest", Some("sha256:a"), true, "by content under another name"),
            ("2.4.0", None, false, "no digest is not an equal digest"),
            ("2.4.0", Some("sha256:b"), false, "another version"),
        ] {
            assert_eq!(versions.find(&key, version, digest).is_some(), expected, "{why}");
        }
        assert_eq!(versions.find(&ServiceKey::new("checkout", "staging"), "2.4.1", None), None);
    }

    #[test]
    fn the_oldest_bad_version_of_a_service_is_forgotten_first() {
        let mut versions = BadVersions::default();
        for number in 0..MAX_BAD_VERSIONS_PER_SERVICE {
            assert_eq!(versions.mark(bad(&number.to_string(), None)), Some(Vec::new()));
        }
        assert_eq!(versions.mark(bad("0", None)), None, "marked already");
        assert_eq!(versions.mark(bad("one more", None)), Some(vec![bad("0", None)]));
        assert_eq!(versions.iter().count(), MAX_BAD_VERSIONS_PER_SERVICE);
    }
}
