//! `Shown`: the files of the host that a guest sees, and the changes to them, one after the other, each by a helper.

use super::super::order::{Failure, FileOrder, Step};
use super::super::sys::{Side, clone_process, exit_now};
use super::mounting::{self, Kind, View};
use super::request::Outcome;
use super::sys::keep_open;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one change may take: a path can lead to a server that does not answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Changes that may wait for another.
const WAITING: usize = 16;

/// What is to change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in super::super) enum Change {
    Show(FileOrder),
    Hide(PathBuf),
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    writable: bool,
    /// Mounts on its path, one over the other.
    layers: u32,
    folder: bool,
}

/// A process at work on one change. The supervisor itself can not do it: who enters another mount namespace does not come
/// back, and may have to wait.
#[derive(Debug)]
struct Helper {
    client: u64,
    change: Change,
    process: OwnedFd,
    /// Says what it has done, and ends with the process.
    words: OwnedFd,
    deadline: Instant,
}

/// The files of one guest.
#[derive(Debug)]
pub(in super::super) struct Shown {
    view: View,
    /// The guest's run folder.
    run: PathBuf,
    files: Vec<File>,
    helper: Option<Helper>,
    waiting: VecDeque<(u64, Change)>,
    answers: Vec<(u64, Outcome)>,
    /// Helpers that were killed and could not end yet.
    dying: Vec<OwnedFd>,
}

impl Shown {
    /// The files that a guest was born with.
    pub(in super::super) fn new(view: View, run: PathBuf, files: &[FileOrder]) -> Self {
        let files = files.iter().map(|file| File {
            path: file.path.clone(),
            writable: file.writable,
            layers: 1,
            folder: file.path.is_dir(),
        });
        Self {
            view,
            run,
            files: files.collect(),
            helper: None,
            waiting: VecDeque::new(),
            answers: Vec::new(),
            dying: Vec::new(),
        }
    }

    /// Asks for a change; the answer is among [`Shown::answers`] some time.
    pub(in super::super) fn ask(&mut self, client: u64, change: Change) {
        if self.waiting.len() >= WAITING {
            let failure = Failure::new(format!("change the guest's files: {WAITING} other changes wait"));
            self.answers.push((client, Outcome::Failed(failure)));
        } else {
            self.waiting.push_back((client, change));
        }
        self.proceed();
    }

    /// What became of changes, by who asked for them.
    pub(in super::super) fn answers(&mut self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.answers)
    }

    /// Becomes readable when a change is done.
    pub(in super::super) fn interest(&self) -> Option<BorrowedFd<'_>> {
        self.helper.as_ref().map(|helper| helper.words.as_fd())
    }

    pub(in super::super) fn deadline(&self) -> Option<Instant> {
        self.helper.as_ref().map(|helper| helper.deadline)
    }

    /// The change is done.
    pub(in super::super) fn finish(&mut self) {
        let Some(helper) = self.helper.take() else { return };
        let mut words = [0_u8; 8192];
        let said = rustix::io::retry_on_intr(|| rustix::io::read(&helper.words, &mut words)).unwrap_or(0);
        let status = loop {
            match waitid(WaitId::PidFd(helper.process.as_fd()), WaitIdOptions::EXITED) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other.ok().flatten().and_then(|status| status.exit_status()),
            }
        };
        let outcome = match serde_json::from_slice::<Result<Kind, Failure>>(&words[..said]) {
            Ok(Ok(kind)) if status == Some(0) => self.note(&helper.change, kind),
            Ok(Err(failure)) => Outcome::Failed(failure),
            Ok(Ok(_)) | Err(_) => Outcome::Failed(Failure::new("change the guest's files: the helper died")),
        };
        self.answers.push((helper.client, outcome));
        self.proceed();
    }

    /// Gives up a change that takes too long.
    pub(in super::super) fn tick(&mut self, now: Instant) {
        self.dying.retain(|process| !is_over(process));
        if let Some(helper) = self.helper.take_if(|helper| helper.deadline <= now) {
            let _ = pidfd_send_signal(&helper.process, Signal::KILL);
            let (Change::Show(FileOrder { path, .. }) | Change::Hide(path)) = &helper.change;
            let failure = Failure::new(format!("reach '{}' within {} s", path.display(), PATIENCE.as_secs()));
            self.answers.push((helper.client, Outcome::Failed(failure)));
            if !is_over(&helper.process) {
                self.dying.push(helper.process);
            }
            self.proceed();
        }
    }

    /// Begins with what waits, when nothing is being done.
    fn proceed(&mut self) {
        while self.helper.is_none()
            && let Some((client, change)) = self.waiting.pop_front()
        {
            match self.begin(&change) {
                Ok(Some((process, words))) => {
                    self.helper = Some(Helper {
                        client,
                        change,
                        process,
                        words,
                        deadline: Instant::now() + PATIENCE,
                    });
                }
                Ok(None) => self.answers.push((client, Outcome::plugged())),
                Err(outcome) => self.answers.push((client, outcome)),
            }
        }
    }

    /// Starts the helper; `None` when all is as it should be already.
    fn begin(&self, change: &Change) -> Result<Option<(OwnedFd, OwnedFd)>, Outcome> {
        let (path, known) = match change {
            Change::Show(file) => (&file.path, self.file(&file.path)),
            Change::Hide(path) => (path, self.file(path)),
        };
        let layers = match (change, known) {
            (Change::Show(file), Some(known)) if known.writable || !file.writable => return Ok(None),
            (Change::Show(_), _) => 0,
            (Change::Hide(_), None) => return Err(Outcome::Missing(format!("file '{}'", path.display()))),
            (Change::Hide(_), Some(known)) => {
                if let Some(inner) = self
                    .files
                    .iter()
                    .find(|file| file.path != *path && file.path.starts_with(path))
                {
                    return Err(Outcome::Failed(Failure::new(format!(
                        "take the folder away while '{}' in it is shown",
                        inner.path.display()
                    ))));
                }
                known.layers
            }
        };
        self.fork(change, layers).map(Some).map_err(Outcome::Failed)
    }

    fn fork(&self, change: &Change, layers: u32) -> Result<(OwnedFd, OwnedFd), Failure> {
        let step = || "start the helper that changes the guest's files".to_owned();
        let (words, theirs) = pipe_with(PipeFlags::CLOEXEC).step(step)?;
        match clone_process(0, None).step(step)? {
            Side::Parent(_, process) => Ok((process, words)),
            Side::Child => {
                drop(words);
                let done = self.work(change, layers, &theirs);
                let _ = rustix::io::write(&theirs, &serde_json::to_vec(&done).unwrap_or_default());
                exit_now(i32::from(done.is_err()))
            }
        }
    }

    /// What the helper does.
    fn work(&self, change: &Change, layers: u32, words: &OwnedFd) -> Result<Kind, Failure> {
        let step = || "set up the helper that changes the guest's files".to_owned();
        // One that hangs must hold up neither the end of a console nor that of a tap.
        keep_open(&[words.as_fd(), self.view.process.as_fd()]).step(step)?;
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).step(step)?;
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        match change {
            Change::Show(file) => mounting::show(&self.view, file, &self.walls()),
            Change::Hide(path) => mounting::hide(&self.view, path, layers).map(|()| Kind::Other),
        }
    }

    /// Folders in which the guest may make links.
    fn walls(&self) -> Vec<PathBuf> {
        let writable = self.files.iter().filter(|file| file.writable && file.folder);
        writable
            .map(|file| file.path.clone())
            .chain([self.run.clone()])
            .collect()
    }

    fn file(&self, path: &Path) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    fn note(&mut self, change: &Change, kind: Kind) -> Outcome {
        match change {
            Change::Show(new) => {
                if let Some(file) = self.files.iter_mut().find(|file| file.path == new.path) {
                    file.writable = new.writable;
                    file.layers += 1;
                } else {
                    self.files.push(File {
                        path: new.path.clone(),
                        writable: new.writable,
                        layers: 1,
                        folder: kind == Kind::Folder,
                    });
                }
                Outcome::plugged()
            }
            Change::Hide(path) => {
                self.files.retain(|file| file.path != *path);
                Outcome::Unplugged
            }
        }
    }
}

/// Whether a process that was killed has ended; it is waited for then.
fn is_over(process: &OwnedFd) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    !matches!(waitid(WaitId::PidFd(process.as_fd()), look), Ok(None))
}
