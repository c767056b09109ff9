//! Code pages of one byte a character, as Python 3.11 has them: the WHATWG tables of `encoding_rs` plus Python's differences.

use encoding_rs::Encoding;

/// A code page over ASCII.
#[derive(Debug)]
pub(crate) struct SingleByte {
    /// Python's module name.
    pub(crate) codec: &'static str,
    encoding: &'static Encoding,
    /// Bytes 0x80 to 0x9F are the control characters of the same number, whatever the WHATWG table says.
    controls: bool,
    /// Bytes without a character in Python though WHATWG gives them one.
    undefined: &'static [u8],
    /// Bytes with another character in Python.
    instead: &'static [(u8, char)],
}

impl SingleByte {
    /// The characters of bytes 0x80 to 0xFF; `None` where Python has none.
    pub(crate) fn upper_half(&self) -> [Option<char>; 128] {
        let mut table = [None; 128];
        for (byte, entry) in (0x80..=0xff_u8).zip(&mut table) {
            let decode = || self.encoding.decode_without_bom_handling_and_without_replacement(&[byte])?.chars().next();
            *entry = match self.instead.iter().find(|(other, _)| *other == byte) {
                Some((_, character)) => Some(*character),
                None if self.undefined.contains(&byte) => None,
                None if self.controls && byte < 0xa0 => Some(char::from(byte)),
                None => decode(),
            };
        }
        table
    }
}

const fn page(codec: &'static str, encoding: &'static Encoding) -> SingleByte {
    SingleByte { codec, encoding, controls: false, undefined: &[], instead: &[] }
}

const fn windows(codec: &'static str, encoding: &'static Encoding, undefined: &'static [u8]) -> SingleByte {
    SingleByte { undefined, ..page(codec, encoding) }
}

const fn thai(codec: &'static str, undefined: &'static [u8]) -> SingleByte {
    SingleByte { controls: true, undefined, ..page(codec, encoding_rs::WINDOWS_874) }
}

/// The code pages that we offer; the other ones of Python (EBCDIC, DOS, Macintosh scripts) are refused.
pub(crate) static SINGLE_BYTE: &[SingleByte] = &[
    windows("cp1250", encoding_rs::WINDOWS_1250, &[0x81, 0x83, 0x88, 0x90, 0x98]),
    windows("cp1251", encoding_rs::WINDOWS_1251, &[0x98]),
    windows("cp1252", encoding_rs::WINDOWS_1252, &[0x81, 0x8d, 0x8f, 0x90, 0x9d]),
    windows(
        "cp1253",
        encoding_rs::WINDOWS_1253,
        &[0x81, 0x88, 0x8a, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x98, 0x9a, 0x9c, 0x9d, 0x9e, 0x9f],
    ),
    windows("cp1254", encoding_rs::WINDOWS_1254, &[0x81, 0x8d, 0x8e, 0x8f, 0x90, 0x9d, 0x9e]),
    windows(
        "cp1255",
        encoding_rs::WINDOWS_1255,
        &[0x81, 0x8a, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x9a, 0x9c, 0x9d, 0x9e, 0x9f, 0xca],
    ),
    page("cp1256", encoding_rs::WINDOWS_1256),
    windows("cp1257", encoding_rs::WINDOWS_1257, &[0x81, 0x83, 0x88, 0x8a, 0x8c, 0x90, 0x98, 0x9a, 0x9c, 0x9f]),
    windows("cp1258", encoding_rs::WINDOWS_1258, &[0x81, 0x8a, 0x8d, 0x8e, 0x8f, 0x90, 0x9a, 0x9d, 0x9e]),
    page("cp866", encoding_rs::IBM866),
    windows(
        "cp874",
        encoding_rs::WINDOWS_874,
        &[
            0x81, 0x82, 0x83, 0x84, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x90, 0x98, 0x99, 0x9a,
            0x9b, 0x9c, 0x9d, 0x9e, 0x9f,
        ],
    ),
    thai("iso8859_11", &[]),
    thai("tis_620", &[0xa0]),
    page("iso8859_2", encoding_rs::ISO_8859_2),
    page("iso8859_3", encoding_rs::ISO_8859_3),
    page("iso8859_4", encoding_rs::ISO_8859_4),
    page("iso8859_5", encoding_rs::ISO_8859_5),
    page("iso8859_6", encoding_rs::ISO_8859_6),
    page("iso8859_7", encoding_rs::ISO_8859_7),
    page("iso8859_8", encoding_rs::ISO_8859_8),
    SingleByte { controls: true, ..page("iso8859_9", encoding_rs::WINDOWS_1254) },
    page("iso8859_10", encoding_rs::ISO_8859_10),
    page("iso8859_13", encoding_rs::ISO_8859_13),
    page("iso8859_14", encoding_rs::ISO_8859_14),
    page("iso8859_15", encoding_rs::ISO_8859_15),
    page("iso8859_16", encoding_rs::ISO_8859_16),
    page("koi8_r", encoding_rs::KOI8_R),
    SingleByte { instead: &[(0xae, '╝'), (0xbe, '╬')], ..page("koi8_u", encoding_rs::KOI8_U) },
    page("mac_roman", encoding_rs::MACINTOSH),
    page("mac_cyrillic", encoding_rs::X_MAC_CYRILLIC),
];
