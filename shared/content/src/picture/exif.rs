//! EXIF, of which two things are wanted: which way is up, and whether it says where.

/// The tag of the orientation, and of the pointer to the place.
const ORIENTATION: u16 = 0x0112;
const GPS: u16 = 0x8825;

pub(super) struct Exif {
    /// 1 to 8. Where it does not say, or nonsense, 1.
    pub orientation: u8,
    pub place: bool,
}

/// Numbers in one of the two orders.
#[derive(Clone, Copy)]
pub(super) struct Order {
    big: bool,
}

impl Order {
    /// By the first two bytes of a TIFF.
    pub fn of(head: &[u8]) -> Option<Self> {
        match head.get(..4)? {
            b"II*\0" => Some(Self { big: false }),
            b"MM\0*" => Some(Self { big: true }),
            _ => None,
        }
    }

    pub fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let two = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }

    pub fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let four = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    pub fn of_u16(self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    pub fn of_u32(self, number: u32) -> [u8; 4] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}

/// From the header of its TIFF on. Whatever cannot be read is not there.
pub(super) fn read(bytes: &[u8]) -> Exif {
    let mut exif = Exif { orientation: 1, place: false };
    let Some(order) = Order::of(bytes) else { return exif };
    let Some(directory) = order.u32(bytes, 4).and_then(|it| usize::try_from(it).ok()) else { return exif };
    let Some(entries) = order.u16(bytes, directory) else { return exif };
    for entry in (0..usize::from(entries)).filter_map(|index| directory.checked_add(2 + 12 * index)) {
        match order.u16(bytes, entry) {
            Some(ORIENTATION) => {
                let value = order.u16(bytes, entry + 8).and_then(|it| u8::try_from(it).ok());
                exif.orientation = value.filter(|it| (1..=8).contains(it)).unwrap_or(1);
            }
            Some(GPS) => exif.place = true,
            Some(_) => {}
            None => break,
        }
    }
    exif
}

/// An EXIF that says which way is up, and nothing else.
pub(super) fn of_orientation(orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    exif
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for orientation in 1..=8 {
            let exif = read(&of_orientation(orientation));
            assert_eq!((exif.orientation, exif.place), (orientation, false));
        }
        assert_eq!(read(&of_orientation(9)).orientation, 1);
        assert_eq!(read(b"").orientation, 1);
    }

    #[test]
    fn both_orders_are_read_and_the_place_is_seen() {
        let mut big = b"MM\0*\0\0\0\x08\0\x02\x01\x12\0\x03\0\0\0\x01\0\x06\0\0".to_vec();
        big.extend(b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x30\0\0\0\0");
        let exif = read(&big);
        assert_eq!((exif.orientation, exif.place), (6, true));
    }
}
