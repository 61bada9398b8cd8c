//! A ring as it stands in a snapshot: what is in its slots, and what follows from nothing else.

use std::time::Duration;

use model::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned, de::Error};

use super::{Lane, Ring, Shape};

/// Slots beyond this moment in milliseconds, before or after the epoch, are nobody's: 30,000 years.
const MOMENT_MS_MAX: i64 = 1 << 50;

/// What the lane of a ring looks like in a snapshot.
pub(in crate::store) trait Saved: Lane + Sized {
    type Image: Serialize + DeserializeOwned;

    fn image(&self) -> Self::Image;

    /// The lane of `kept` slots again; `current` are those of the newest window. `None`: the image cannot be one.
    fn of_image(image: Self::Image, kept: usize, current: &[usize]) -> Option<Self>;
}

#[derive(Serialize, Deserialize)]
struct RingImage<I> {
    window: Duration,
    head: Option<i64>,
    first_at: Timestamp,
    newest_at: Timestamp,
    lane: I,
}

impl<L: Saved> Ring<L> {
    fn image(&self) -> RingImage<L::Image> {
        let Self { shape, head, head_index: _, head_from_ms: _, first_at, newest_at, lane } = self;
        RingImage {
            window: shape.window,
            head: *head,
            first_at: *first_at,
            newest_at: *newest_at,
            lane: lane.image(),
        }
    }

    fn of_image(image: RingImage<L::Image>) -> Option<Self> {
        let shape = Shape::of(image.window);
        let kept = shape.kept() as i64;
        let current: Vec<usize> = match image.head {
            Some(head) if !shape.is_moment(head) => return None,
            Some(head) => {
                (head - shape.slots + 1..=head).map(|slot| slot.rem_euclid(kept) as usize).collect()
            }
            None => Vec::new(),
        };
        let lane = L::of_image(image.lane, shape.kept(), &current)?;
        Some(Self {
            shape,
            head: image.head,
            head_index: image.head.map_or(0, |head| head.rem_euclid(kept) as usize),
            head_from_ms: image.head.map_or(0, |head| head * shape.width_ms),
            first_at: image.first_at,
            newest_at: image.newest_at,
            lane,
        })
    }
}

impl Shape {
    fn is_moment(&self, slot: i64) -> bool {
        slot.checked_mul(self.width_ms).is_some_and(|ms| (-MOMENT_MS_MAX..MOMENT_MS_MAX).contains(&ms))
    }
}

impl<L: Saved> Serialize for Ring<L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.image().serialize(serializer)
    }
}

impl<'de, L: Saved> Deserialize<'de> for Ring<L> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let image = RingImage::deserialize(deserializer)?;
        Self::of_image(image).ok_or_else(|| D::Error::custom("slots that do not fit their window"))
    }
}
