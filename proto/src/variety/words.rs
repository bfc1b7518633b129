//! Prose without a meaning, as long as it is asked for.

use crate::random::below;

/// Short and common English words. With a space before it each is one token of GPT's `cl100k_base` and `o200k_base`, as
/// their tables were asked; other tokenizers may take some of them apart.
const WORDS: &str = "\
a about above accept account across act action active add address afternoon again age agree air all allow almost \
alone along already also although always among amount angle animal another answer any apple area argue arm \
around arrive art article ask attempt attention autumn away baby back bad bag balance ball bank base basic \
basket bath be bear beat beautiful become bed before begin behavior behind belief bell below best better between \
bird birth bit black blow blue board boat body bone book both bottle bottom box boy branch brave bread break \
bridge bright bring broken brother brown build burn business but butter button buy by call camera can car card \
care carry cat cause center certain chain chair chance change cheap cheese chest chief child choice church \
circle city class clean clear clock cloth cloud coal coat cold color come comfort common company compare \
complete condition control cook cool copper copy corner cotton could country course cover cow credit cross cry \
cup current cut damage dance danger dark daughter day dear deep degree design desire detail direction discovery \
discussion distance do doctor dog door doubt down dream dress drink drive drop dry dust ear early earth east \
easy eat edge effect egg electric end engine enough equal error even evening event ever every example exchange \
exist expert eye face fact fall family far farm fast father fear feel female few field find fire first fish \
fixed flag flat flight floor flower fly fold food foot for force form forward free frequent friend from front \
fruit full future garden general get girl give glass go gold good great green group grow guide hair half hand \
hang happy harbor hard harmony hat have he head healthy hear heart heat help high history hold hole home hope \
horse hospital hour house how human ice idea if important in industry ink insect interest iron island jump just \
keep key kind king knee knife knowledge land language large last late laugh law lead leaf learn left leg letter \
level library life light like limit line lip list little living long look loss love low machine make male man \
manager map mark market married mass match material may meal measure meat meeting memory metal middle milk mind \
minute mixed money month moon morning mother motion mountain mouth move much music must name narrow nation \
natural near necessary neck need net new news night no noise normal north nose not note now number office oil \
old on only open operation opinion opposite or orange order other out over owner page paint paper parallel part \
past payment peace pen person physical picture place plane plant plate play please point poor position possible \
pot power present price print private process produce profit property protest public pull purpose push put \
quality question quick quiet quite rain range rate reason receive record red regular relation request respect \
rest reward rice right ring river road rock roof room root rough round rule run sad safe sail salt same sand say \
scale school science sea seat second secret see seed sell send sense separate serious shade shape sharp ship \
shirt shock shoe short side sign silver simple sister size skin sky sleep slow small smile smoke smooth snow so \
soap social society soft some son song sort sound south space special spring square stage stamp star start state \
station steam steel step still stone stop store storm story strange street stretch strong structure such sudden \
sugar summer sun support surprise sweet system table take talk tall taste tax teaching test than that the then \
theory there thick thin thing this thought thread through thunder ticket tight till time tired to together \
tomorrow top touch town trade train transport travel tree trouble turn under unit up use value very view voice \
walk wall warm wash waste watch water wave wax way weather week weight well west wet wheel when where while \
white who why wide will wind window winter wire wise with woman wood word work world wrong year yellow yes \
yesterday you young";

/// So many words, drawn evenly, with a space between two of them.
pub(super) fn words(count: usize, mut draw: impl FnMut() -> u64) -> String {
    let known: Vec<&str> = WORDS.split(' ').collect();
    let mut text = String::with_capacity(count * 6);
    for number in 0..count {
        if number > 0 {
            text.push(' ');
        }
        text.push_str(known[below(known.len() as u64, draw()) as usize]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::mix;

    #[test]
    fn there_are_as_many_as_asked_for_and_each_draw_makes_others() {
        let mut state = 7;
        let mut draw = || {
            state = mix(state);
            state
        };
        assert_eq!(words(0, &mut draw), "");
        let (one, other) = (words(1_000, &mut draw), words(1_000, &mut draw));
        assert_eq!((one.split(' ').count(), other.split(' ').count()), (1_000, 1_000));
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| byte == b' ' || byte.is_ascii_lowercase()));
    }
}
