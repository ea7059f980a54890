//! Makes ids and times.
//!
//! With a seed both are reproducible: the same sequence of accepted creations yields the same ids
//! and times, whatever was read or refused in between (a refused call gives back what it drew).
//! Without one, ids come from the operating system's randomness and times from its clock.

use jiff::Timestamp;

/// The moment at which a seeded world begins.
const SEEDED_EPOCH: i64 = 1_639_353_600; // 2021-12-13T00:00:00Z

#[derive(Clone, Copy, Debug)]
pub(crate) struct Mint {
    state: u64,
    /// Seconds since the epoch; `None` means the machine's own clock.
    clock: Option<i64>,
}

impl Mint {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        match seed {
            Some(seed) => Self { state: seed, clock: Some(SEEDED_EPOCH) },
            None => Self { state: getrandom::u64().unwrap_or(0x5EED), clock: None },
        }
    }

    /// Returns the time in the vendor's form. A seeded clock moves on by a second with each call.
    pub(crate) fn time(&mut self) -> String {
        let seconds = match &mut self.clock {
            Some(clock) => {
                *clock += 1;
                *clock
            }
            None => Timestamp::now().as_second(),
        };
        Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
    }

    /// Makes the id of a checkout, customer, order or cart: twelve digits.
    pub(crate) fn number(&mut self) -> String {
        (100_000_000_000 + self.draw() % 900_000_000_000).to_string()
    }

    /// Makes the id of a source or session: a version 4 UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.draw(), self.draw());
        let high = (high & !0xF000) | 0x4000;
        let low = (low & !(0b11 << 62)) | (0b10 << 62);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFFF,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        )
    }

    /// Makes a client secret, which the vendor forms from the id that it belongs to.
    pub(crate) fn secret(&mut self, id: &str) -> String {
        format!("{id}_{}", self.uuid())
    }

    /// Makes an access or refresh token.
    pub(crate) fn token(&mut self) -> String {
        format!("{:016x}{:016x}", self.draw(), self.draw())
    }

    /// Draws the next number of SplitMix64, which is small, seedable and even enough for ids.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_times() {
        let draw = |seed| {
            let mut mint = Mint::new(Some(seed));
            (mint.number(), mint.uuid(), mint.time())
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }

    #[test]
    fn ids_look_like_the_vendors() {
        let mut mint = Mint::new(Some(1));
        assert_eq!(mint.number().len(), 12);
        let uuid = mint.uuid();
        assert_eq!((uuid.len(), uuid.as_bytes()[14]), (36, b'4'));
        assert_eq!(mint.time(), "2021-12-13T00:00:01Z");
    }
}
