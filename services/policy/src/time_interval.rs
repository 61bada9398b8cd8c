//! Time intervals of freezes, as Alertmanager writes them. `arbiter` evaluates them: it has the time zones.

/// One named interval: any of its specifications has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeInterval {
    pub specifications: Vec<TimeSpecification>,
}

/// One specification: each field that says something has to hold, any of a field's ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeSpecification {
    /// Minutes of the day, the end exclusive: `(540, 1020)` is 09:00 to 17:00.
    pub times: Vec<(u16, u16)>,
    /// 0 is Sunday, both ends included.
    pub weekdays: Vec<(u8, u8)>,
    /// 1..=31, or -31..=-1 from the month's end, both ends included.
    pub days_of_month: Vec<(i8, i8)>,
    /// 1..=12, both ends included.
    pub months: Vec<(u8, u8)>,
    /// Both ends included.
    pub years: Vec<(u16, u16)>,
    /// IANA name, not checked against a database; `None` is UTC.
    pub location: Option<String>,
}
