//! The protobuf wire format as far as a span walk needs it: tags, varints, lengths, nothing copied.

/// Where a field's content stands, by wire type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Varint(u64),
    Fixed64([u8; 8]),
    /// Start and end in the walked bytes.
    Length(usize, usize),
    Fixed32([u8; 4]),
}

/// The bytes are no protobuf message: cut short, or a wire type that proto3 does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

/// The varint at `at`, and where it ends.
#[inline(always)]
pub(crate) fn varint(bytes: &[u8], at: usize, end: usize) -> Result<(u64, usize), Broken> {
    let first = *bytes.get(at).filter(|_| at < end).ok_or(Broken)?;
    if first < 0x80 {
        return Ok((u64::from(first), at + 1));
    }
    long_varint(bytes, at, end)
}

fn long_varint(bytes: &[u8], at: usize, end: usize) -> Result<(u64, usize), Broken> {
    let mut value = 0_u64;
    for index in 0..10_usize {
        let byte = *bytes.get(at + index).filter(|_| at + index < end).ok_or(Broken)?;
        if index == 9 && byte > 1 {
            return Err(Broken);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Ok((value, at + index + 1));
        }
    }
    Err(Broken)
}

/// The length-delimited content whose length stands at `at`: its start and end, both within `end`.
#[inline(always)]
pub(crate) fn length(bytes: &[u8], at: usize, end: usize) -> Result<(usize, usize), Broken> {
    let (length, start) = varint(bytes, at, end)?;
    let length = usize::try_from(length).map_err(|_| Broken)?;
    let stop = start.checked_add(length).filter(|stop| *stop <= end).ok_or(Broken)?;
    Ok((start, stop))
}

/// The field at `at`: its number, its content, and where the next one begins.
#[inline]
pub(crate) fn field(bytes: &[u8], at: usize, end: usize) -> Result<(u64, Content, usize), Broken> {
    let (tag, at) = varint(bytes, at, end)?;
    let number = tag >> 3;
    if number == 0 || number > 0x1fff_ffff {
        return Err(Broken);
    }
    let (content, next) = match tag & 7 {
        0 => {
            let (value, next) = varint(bytes, at, end)?;
            (Content::Varint(value), next)
        }
        1 => (Content::Fixed64(fixed(bytes, at, end)?), at + 8),
        2 => {
            let (start, stop) = length(bytes, at, end)?;
            (Content::Length(start, stop), stop)
        }
        5 => (Content::Fixed32(fixed(bytes, at, end)?), at + 4),
        _ => return Err(Broken),
    };
    Ok((number, content, next))
}

#[inline]
fn fixed<const N: usize>(bytes: &[u8], at: usize, end: usize) -> Result<[u8; N], Broken> {
    let stop = at.checked_add(N).filter(|stop| *stop <= end).ok_or(Broken)?;
    bytes.get(at..stop).and_then(|slice| slice.try_into().ok()).ok_or(Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_what_is_cut_short_is_broken() {
        let message =
            [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 0, 0, 0, 0x21, 1, 0, 0, 0, 0, 0, 0, 0];
        let end = message.len();
        assert_eq!(field(&message, 0, end), Ok((1, Content::Varint(150), 3)));
        assert_eq!(field(&message, 3, end), Ok((2, Content::Length(5, 7), 7)));
        assert_eq!(field(&message, 7, end), Ok((3, Content::Fixed32([1, 0, 0, 0]), 12)));
        assert_eq!(field(&message, 12, end), Ok((4, Content::Fixed64([1, 0, 0, 0, 0, 0, 0, 0]), 21)));
        for (cut, from) in [(2, 0), (6, 3), (11, 7), (20, 12)] {
            assert_eq!(field(&message, from, cut), Err(Broken), "cut at {cut}");
        }
    }

    #[test]
    fn what_no_sender_writes_is_broken_and_not_guessed_at() {
        for (bytes, why) in [
            (&[0x00_u8, 0x00][..], "field number zero"),
            (&[0x0b], "a group"),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], "a varint over 64 bits"),
            (
                &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                "a length over the address space",
            ),
        ] {
            assert_eq!(field(bytes, 0, bytes.len()), Err(Broken), "{why}");
        }
    }
}
