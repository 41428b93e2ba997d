//! `Telnet`: as much of that protocol as a raw terminal needs (RFC 854 to 858): bytes pass unchanged, nobody echoes twice.

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SUBNEGOTIATION: u8 = 250;
const END: u8 = 240;

const BINARY: u8 = 0;
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Data,
    Command,
    Option(u8),
    Inside,
    InsideCommand,
}

/// One connection's negotiation. Nothing is kept of what the peer sends but where in a command it is.
#[derive(Debug)]
pub(super) struct Telnet {
    state: State,
    /// Options that this side may use, and those of them that it has announced.
    ours: (&'static [u8], Vec<u8>),
    /// Options that the peer may use, and those of them that it was told to.
    theirs: (&'static [u8], Vec<u8>),
    binary: bool,
    after_return: bool,
}

impl Telnet {
    /// The side that was called, and with what it begins.
    pub(super) fn server() -> (Self, Vec<u8>) {
        let ours: &[u8] = &[ECHO, SUPPRESS_GO_AHEAD, BINARY];
        let mut telnet = Self::new(ours, &[SUPPRESS_GO_AHEAD, BINARY]);
        telnet.ours.1.extend(ours);
        telnet.theirs.1.push(BINARY);
        let mut greeting: Vec<u8> = ours.iter().flat_map(|option| [IAC, WILL, *option]).collect();
        greeting.extend([IAC, DO, BINARY]);
        (telnet, greeting)
    }

    /// The side that calls: it waits for what it is asked.
    pub(super) fn client() -> Self {
        Self::new(&[SUPPRESS_GO_AHEAD, BINARY], &[ECHO, SUPPRESS_GO_AHEAD, BINARY])
    }

    const fn new(ours: &'static [u8], theirs: &'static [u8]) -> Self {
        Self {
            state: State::Data,
            ours: (ours, Vec::new()),
            theirs: (theirs, Vec::new()),
            binary: false,
            after_return: false,
        }
    }

    /// What was typed, without the protocol; answers to the peer go to `replies`.
    pub(super) fn decode(&mut self, bytes: &[u8], replies: &mut Vec<u8>) -> Vec<u8> {
        let mut typed = Vec::with_capacity(bytes.len());
        for byte in bytes.iter().copied() {
            self.state = match (self.state, byte) {
                (State::Data, IAC) => State::Command,
                (State::Data, _) => {
                    // A terminal that is not binary sends a zero byte after a return that no line feed follows.
                    if byte != 0 || !self.after_return || self.binary {
                        typed.push(byte);
                    }
                    self.after_return = byte == b'\r';
                    State::Data
                }
                (State::Command, IAC) => {
                    typed.push(IAC);
                    State::Data
                }
                (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
                (State::Command, SUBNEGOTIATION) => State::Inside,
                (State::Command, _) => State::Data,
                (State::Option(verb), option) => {
                    self.negotiate(verb, option, replies);
                    State::Data
                }
                (State::Inside, IAC) => State::InsideCommand,
                (State::InsideCommand, END) => State::Data,
                (State::Inside | State::InsideCommand, _) => State::Inside,
            };
        }
        typed
    }

    fn negotiate(&mut self, verb: u8, option: u8, replies: &mut Vec<u8>) {
        if option == BINARY && matches!(verb, WILL | WONT) {
            self.binary = verb == WILL;
        }
        let ((allowed, agreed), yes, no) = match verb {
            DO => (&mut self.ours, WILL, WONT),
            WILL => (&mut self.theirs, DO, DONT),
            // Refusals need no answer: everything here works without options too.
            _ => return,
        };
        if !allowed.contains(&option) {
            replies.extend([IAC, no, option]);
        } else if !agreed.contains(&option) {
            agreed.push(option);
            replies.extend([IAC, yes, option]);
        }
    }

    /// What the guest said, as it is sent.
    pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
        let mut sent = Vec::with_capacity(bytes.len());
        for byte in bytes.iter().copied() {
            sent.push(byte);
            if byte == IAC {
                sent.push(IAC);
            }
        }
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiation_is_answered_once_and_does_not_reach_the_guest() {
        let (mut telnet, greeting) = Telnet::server();
        assert_eq!(greeting, [255, 251, 1, 255, 251, 3, 255, 251, 0, 255, 253, 0]);
        let mut replies = Vec::new();
        // As a common client answers and asks: agreed, its window's size (31) with a size, its terminal's type (24).
        let heard = [
            &[b'l', 255, 253, 1, 255, 253, 3, 255, 253, 0, 255, 251, 0][..],
            &[
                255, 251, 3, 255, 251, 3, 255, 251, 31, 255, 250, 31, 0, 80, 0, 255, 255, 24,
            ],
            &[255, 240, b's', 255, 253, 24, 255, 241, b'\r', b'\0', 255, 255, b'x'],
        ];
        let mut typed = Vec::new();
        for piece in heard.concat().chunks(1) {
            typed.extend(telnet.decode(piece, &mut replies));
        }
        assert_eq!(typed, b"ls\r\0\xffx");
        assert_eq!(replies, [255, 253, 3, 255, 254, 31, 255, 252, 24]);
    }

    #[test]
    fn a_terminal_that_is_not_binary_sends_returns_in_pairs() {
        let (mut telnet, _) = Telnet::server();
        let mut replies = Vec::new();
        assert_eq!(telnet.decode(b"a\r\0b\r\nc\0", &mut replies), b"a\rb\r\nc\0");
        assert_eq!(telnet.decode(&[255, 252, 0, b'\r', 0, b'd'], &mut replies), b"\rd");
        assert_eq!(replies, b"");
    }

    #[test]
    fn who_calls_agrees_to_what_a_raw_terminal_needs() {
        let mut telnet = Telnet::client();
        let mut replies = Vec::new();
        let asked = [255, 251, 1, 255, 251, 1, 255, 253, 0, 255, 253, 1];
        assert_eq!(telnet.decode(&asked, &mut replies), b"");
        assert_eq!(replies, [255, 253, 1, 255, 251, 0, 255, 252, 1]);
        assert_eq!(Telnet::encode(b"a\xffb"), b"a\xff\xffb");
    }
}
