//! Three-valued logic: missing, thin and torn data are neither healthy nor a breach.

/// Why nothing can be said. Ordered by how much a person should know about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unknown {
    /// The version is younger than `warmup`.
    WarmingUp,
    /// Nothing in the window, no baseline, or not a number.
    NoData,
    /// Something, but fewer requests or fewer bad ones than a decision needs.
    TooFewRequests,
    /// More bad ones than requests: halves of different scrapes.
    Torn,
}

/// What a condition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    Unknown(Unknown),
}

impl From<bool> for Truth {
    fn from(value: bool) -> Self {
        if value { Self::True } else { Self::False }
    }
}

impl Truth {
    /// Kleene's *and*: false wins over unknown.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::Unknown(one), Self::Unknown(two)) => Self::Unknown(one.max(two)),
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::True, Self::True) => Self::True,
        }
    }

    /// Kleene's *or*: true wins over unknown.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::Unknown(one), Self::Unknown(two)) => Self::Unknown(one.max(two)),
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::False, Self::False) => Self::False,
        }
    }

    pub(crate) fn is_true(self) -> bool {
        self == Self::True
    }

    /// Known to be false; an unknown is not.
    pub(crate) fn is_false(self) -> bool {
        self == Self::False
    }
}

#[cfg(test)]
mod tests {
    use super::{Truth::*, Unknown::*};

    #[test]
    fn an_unknown_decides_nothing_that_the_other_side_does_not_decide_alone() {
        let thin = Unknown(TooFewRequests);
        for (left, right, and, or) in [
            (True, True, True, True),
            (True, False, False, True),
            (False, False, False, False),
            (True, thin, thin, True),
            (False, thin, False, thin),
            (thin, Unknown(Torn), Unknown(Torn), Unknown(Torn)),
            (Unknown(NoData), thin, thin, thin),
        ] {
            assert_eq!((left.and(right), right.and(left)), (and, and), "{left:?} and {right:?}");
            assert_eq!((left.or(right), right.or(left)), (or, or), "{left:?} or {right:?}");
        }
    }

    #[test]
    fn only_false_is_false() {
        assert!(!Unknown(NoData).is_false() && !Unknown(NoData).is_true());
    }
}
