mod alertmanager;
mod bounds;
mod improvements;
mod promises;
mod reference;
mod releases;
mod restart;
pub(crate) mod world;
