//! `Captured`: what this process has logged.

use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use tracing_subscriber::fmt::MakeWriter;

/// The lines, as the host's log would show them without colours and times.
#[derive(Debug, Default)]
pub(crate) struct Captured(Mutex<Vec<u8>>);

impl Captured {
    /// Logs everything of this process into here.
    pub(crate) fn install() -> Arc<Self> {
        let captured = Arc::new(Self::default());
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(Writer(Arc::clone(&captured)))
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        captured
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock()).into_owned()
    }
}

struct Writer(Arc<Captured>);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(&self.0)
    }
}

struct Line<'a>(&'a Captured);

impl io::Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
