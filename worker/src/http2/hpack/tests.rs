use super::*;
use proptest::prelude::*;

type Fields = Vec<(String, String)>;

fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, HpackFault> {
    let mut fields = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    decoder.decode(block, |name, value| fields.push((text(name), text(value)))).map(|()| fields)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn fields(text: &str) -> Fields {
    let field = |line: &str| {
        let (name, value) = line.trim().split_once("= ").unwrap();
        (name.to_owned(), value.to_owned())
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(field).collect()
}

/// Reads blocks of one connection and compares the fields and the size of the table after each.
fn check(decoder: &mut Decoder, blocks: &[(&str, &str, usize)]) {
    for (block, expected, size) in blocks {
        assert_eq!(decode(decoder, &hex(block)), Ok(fields(expected)), "{block}");
        assert_eq!(decoder.table.size(), *size, "{block}");
    }
}

#[test]
fn numbers_are_those_of_appendix_c_1() {
    for (bytes, prefix, expected) in [("0a", 5, 10), ("1f9a0a", 5, 1337), ("2a", 8, 42)] {
        assert_eq!(number(&mut &hex(bytes)[..], prefix), Ok(expected));
        let mut written = Vec::new();
        put_number(&mut written, 0, prefix, expected);
        assert_eq!(written, hex(bytes));
    }
    assert_eq!(number(&mut &hex("1fffffffffff")[..], 5), Err(HpackFault::Number));
    assert_eq!(number(&mut &hex("1fff")[..], 5), Err(HpackFault::Short));
}

#[test]
fn fields_are_those_of_appendix_c_2() {
    check(
        &mut Decoder::default(),
        &[
            ("400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key= custom-header", 55),
            ("040c2f73616d706c652f70617468", ":path= /sample/path", 55),
            ("100870617373776f726406736563726574", "password= secret", 55),
            ("82", ":method= GET", 55),
        ],
    );
}

const FIRST: &str = ":method= GET\n:scheme= http\n:path= /\n:authority= www.example.com";
const SECOND: &str =
    ":method= GET\n:scheme= http\n:path= /\n:authority= www.example.com\ncache-control= no-cache";
const THIRD: &str =
    ":method= GET\n:scheme= https\n:path= /index.html\n:authority= www.example.com\ncustom-key= custom-value";

#[test]
fn requests_are_those_of_appendices_c_3_and_c_4() {
    check(
        &mut Decoder::default(),
        &[
            ("828684410f7777772e6578616d706c652e636f6d", FIRST, 57),
            ("828684be58086e6f2d6361636865", SECOND, 110),
            ("828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565", THIRD, 164),
        ],
    );
    check(
        &mut Decoder::default(),
        &[
            ("828684418cf1e3c2e5f23a6ba0ab90f4ff", FIRST, 57),
            ("828684be5886a8eb10649cbf", SECOND, 110),
            ("828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf", THIRD, 164),
        ],
    );
}

#[test]
fn responses_that_push_each_other_out_are_those_of_appendices_c_5_and_c_6() {
    let first = ":status= 302\ncache-control= private\ndate= Mon, 21 Oct 2013 20:13:21 GMT\nlocation= https://www.example.com";
    let second = ":status= 307\ncache-control= private\ndate= Mon, 21 Oct 2013 20:13:21 GMT\nlocation= https://www.example.com";
    let third = ":status= 200\ncache-control= private\ndate= Mon, 21 Oct 2013 20:13:22 GMT\nlocation= https://www.example.com\n\
                 content-encoding= gzip\nset-cookie= foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
    let mut plain = Decoder { table: Table::new(256), ..Decoder::default() };
    check(
        &mut plain,
        &[
            (
                "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e17\
                 68747470733a2f2f7777772e6578616d706c652e636f6d",
                first,
                222,
            ),
            ("4803333037c1c0bf", second, 222),
            (
                "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738666f6f3d41\
                 53444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b2076657273696f6e3d31",
                third,
                215,
            ),
        ],
    );
    let mut coded = Decoder { table: Table::new(256), ..Decoder::default() };
    check(
        &mut coded,
        &[
            (
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
                first,
                222,
            ),
            ("4883640effc1c0bf", second, 222),
            (
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f\
                 3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                third,
                215,
            ),
        ],
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (block, fault) in [
        ("80", HpackFault::Index),
        ("be", HpackFault::Index),
        ("7f00", HpackFault::Index),
        ("40", HpackFault::Short),
        ("4005", HpackFault::Short),
        ("400161", HpackFault::Short),
        ("3fe2 1f", HpackFault::TableSize),
        ("8220", HpackFault::TableSize),
        ("ffffffffffff", HpackFault::Number),
        ("40 0161 82 ffff", HpackFault::Huffman),
    ] {
        assert_eq!(decode(&mut Decoder::default(), &hex(block)), Err(fault), "{block}");
    }
}

#[test]
fn a_table_may_be_emptied_and_used_again_at_a_smaller_size() {
    let mut decoder = Decoder::default();
    check(&mut decoder, &[("40016101 62", "a= b", 34), ("20 82", ":method= GET", 0)]);
    assert_eq!(decode(&mut decoder, &hex("be")), Err(HpackFault::Index));
    // 33 bytes are too few for it, 34 are enough.
    check(&mut decoder, &[("3f02 4001610162", "a= b", 0), ("3f03 4001610162", "a= b", 34)]);
}

#[test]
fn a_bomb_of_references_is_refused_before_it_unfolds() {
    let mut block = Vec::new();
    put_number(&mut block, 0x40, 6, 0);
    put_text(&mut block, "a");
    put_text(&mut block, &"b".repeat(4000));
    block.extend_from_slice(&[0xbe; 60_000]);
    let (mut decoder, mut unfolded) = (Decoder::default(), 0);
    let outcome = decoder.decode(&block, |name, value| unfolded += name.len() + value.len());
    assert_eq!(outcome, Err(HpackFault::TooLarge));
    assert!(unfolded <= MAX_LIST, "{unfolded}");
}

proptest! {
    #[test]
    fn what_is_written_is_read_and_leaves_nothing_in_the_table(
        fields in prop::collection::vec(("[a-z-]{1,20}|authorization|content-type|accept-encoding", "[ -~]{0,300}"), 0..9),
    ) {
        let mut block = Vec::new();
        encode_empty_table(&mut block);
        for (name, value) in &fields {
            encode(&mut block, name, value);
        }
        let mut decoder = Decoder::default();
        for _ in 0..2 {
            prop_assert_eq!(decode(&mut decoder, &block), Ok(fields.clone()));
            prop_assert_eq!(decoder.table.size(), 0);
        }
    }

    #[test]
    fn random_bytes_never_panic(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..6)) {
        let mut decoder = Decoder::default();
        for block in blocks {
            let _ = decode(&mut decoder, &block);
            prop_assert!(decoder.table.size() <= TABLE);
        }
    }
}
