//! How Ripcord runs in one run: everything in one process on one partition, or each role in processes of its own
//! on a log of several.

use crate::{process::Roles, random::Random};

#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) is_embedded: bool,
    pub(crate) partitions: u32,
    pub(crate) processes: Vec<Roles>,
    /// How long a group waits for a member that it does not hear of.
    pub(crate) session_seconds: u32,
}

impl Layout {
    pub(crate) fn draw(random: &mut Random) -> Self {
        if random.chance(0.35) {
            return Self {
                is_embedded: true,
                partitions: 1,
                processes: vec![Roles::ALL],
                session_seconds: u32::MAX / 2,
            };
        }
        let none = Roles::default();
        let mut processes = Vec::new();
        for (role, most) in [
            (Roles { ingest: true, ..none }, 3),
            (Roles { analyze: true, ..none }, 3),
            (Roles { act: true, ..none }, 2),
            (Roles { notify: true, ..none }, 2),
        ] {
            processes.extend((0..random.between(1, most)).map(|_| role));
        }
        Self {
            is_embedded: false,
            partitions: *random.pick(&[1, 2, 4]),
            processes,
            session_seconds: *random.pick(&[6, 10, 30]),
        }
    }

    /// The processes that have a role.
    pub(crate) fn with(&self, has: impl Fn(&Roles) -> bool) -> Vec<usize> {
        let numbered = self.processes.iter().enumerate();
        numbered.filter(|(_, roles)| has(roles)).map(|(number, _)| number).collect()
    }
}
