//! serprog's commands as a programmer reads them: each is read or refused, and what is read is what
//! the encoder would have sent, up to what a field does not say.

#![no_main]

use flashwire_protocol::serprog::{CommandMap, Opcode, ProgrammerName, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((&code, fields)) = bytes.split_first()
        && let Ok(opcode) = Opcode::try_from(code)
    {
        let needed = usize::from(opcode.field_bytes());
        match Request::decode(opcode, fields) {
            None => assert!(fields.len() < needed),
            Some(request) => {
                let sent = request.encode();
                let [sent_code, sent_fields @ ..] = sent.as_bytes() else {
                    panic!("{request:?} is sent as nothing");
                };
                assert_eq!((*sent_code, sent_fields.len()), (code, needed));
                // Every other than zero means the same to a flag, so bytes may differ once.
                assert_eq!(Request::decode(opcode, sent_fields), Some(request));
                std::hint::black_box((request.data_bytes(), request.answer_bytes()));
            }
        }
    }
    if let Ok(name) = bytes.try_into() {
        std::hint::black_box(ProgrammerName::from_bytes(name).as_str());
    }
    if let Ok(map) = bytes.try_into() {
        let map = CommandMap::from_bytes(map);
        assert!(
            Opcode::ALL
                .iter()
                .all(|opcode| map.has(*opcode) == map.has_code(opcode.code()))
        );
    }
});
