//! Tiny guests: one image made once a build, and the domain documents that boot it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The kernel that Debian's `user-mode-linux` installs.
pub const KERNEL: &str = "/usr/bin/linux.uml";

/// The initrd that `tools/guest-image` makes, made once for each build folder.
///
/// # Panics
/// When it can not be made.
#[must_use]
pub fn image() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let image = crate::host::build_dir().join("tiny-guest.cpio.gz");
        if !image.exists() {
            // Cases run in parallel processes: each makes its own and the rename decides.
            let own = image.with_extension(std::process::id().to_string());
            let tool = repository().join("tools/guest-image");
            let made = Command::new(tool).arg(&own).status().expect("tools/guest-image runs");
            assert!(made.success(), "tools/guest-image failed");
            std::fs::rename(&own, &image).expect("the image can be renamed");
        }
        image
    })
}

/// A copy of the initrd in `folder` with more files in it, each with its path in the guest; their folders are made.
///
/// # Panics
/// When a file can not be read or the copy not be written.
#[must_use]
pub fn image_with(folder: &Path, files: &[(&str, &Path)]) -> PathBuf {
    let mut bytes = std::fs::read(image()).expect("the image can be read");
    // The kernel unpacks one archive after the other; one that is not packed begins at a multiple of four.
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    for (path, source) in files {
        if let Some((folder, _)) = path.rsplit_once('/') {
            archive(&mut bytes, folder, 0o040_755, &[]);
        }
        let content = std::fs::read(source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        archive(&mut bytes, path, 0o100_644, &content);
    }
    archive(&mut bytes, "TRAILER!!!", 0, &[]);
    let image = folder.join("more.cpio.gz");
    std::fs::write(&image, bytes).expect("the image can be written");
    image
}

/// One entry of a `newc` archive.
fn archive(out: &mut Vec<u8>, path: &str, mode: u32, content: &[u8]) {
    let sizes = [content.len(), path.len() + 1].map(|size| u32::try_from(size).expect("it is small"));
    out.extend_from_slice(b"070701");
    for field in [1, mode, 0, 0, 1, 1, sizes[0], 0, 0, 0, 0, sizes[1], 0] {
        out.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(4), 0);
}

/// A module of the guest's kernel, by its path below the folder of all modules.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn module(path: &str) -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib/uml/modules").expect("the kernel has modules");
    let found = folders
        .flatten()
        .map(|folder| folder.path().join("kernel").join(path))
        .find(|path| path.exists());
    found.unwrap_or_else(|| panic!("there is no module {path}"))
}

/// The repository's top folder.
///
/// # Panics
/// Never: the package lies in it.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package lies in the repository")
}

/// A domain document for the tiny guest, to be adjusted and printed.
#[derive(Clone, Debug)]
pub struct Document {
    name: String,
    script: Option<String>,
    extra: String,
    kernel: String,
    initrd: PathBuf,
    top: String,
}

impl Document {
    /// A guest that boots to a shell on its console.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            script: None,
            extra: String::new(),
            kernel: KERNEL.to_owned(),
            initrd: image().to_owned(),
            top: String::new(),
        }
    }

    /// The shell script that the guest runs at boot.
    #[must_use]
    pub fn running(mut self, script: &str) -> Self {
        self.script = Some(script.to_owned());
        self
    }

    /// Further elements inside `<devices>`.
    #[must_use]
    pub fn device(mut self, xml: &str) -> Self {
        self.extra.push_str(xml);
        self
    }

    /// Further elements inside `<domain>`.
    #[must_use]
    pub fn with(mut self, xml: &str) -> Self {
        self.top.push_str(xml);
        self
    }

    /// Another kernel.
    #[must_use]
    pub fn kernel(mut self, path: &str) -> Self {
        path.clone_into(&mut self.kernel);
        self
    }

    /// Another place of the initrd, which is copied there.
    ///
    /// # Panics
    /// When it can not be copied.
    #[must_use]
    pub fn initrd(mut self, path: &Path) -> Self {
        let _size = std::fs::copy(image(), path).expect("the initrd can be copied");
        path.clone_into(&mut self.initrd);
        self
    }

    /// Another initrd, where it is.
    #[must_use]
    pub fn booting(mut self, initrd: &Path) -> Self {
        initrd.clone_into(&mut self.initrd);
        self
    }

    /// The document as XML text.
    #[must_use]
    pub fn xml(&self) -> String {
        let run = self
            .script
            .as_deref()
            .map_or_else(String::new, |s| format!("guest.run={}", base64(s.as_bytes())));
        format!(
            "<domain type='uml'><name>{}</name><memory unit='MiB'>64</memory>{}\
             <os><type>uml</type><kernel>{}</kernel><initrd>{}</initrd><cmdline>quiet {run}</cmdline></os>\
             <devices><console type='pty'/>{}</devices></domain>",
            self.name,
            self.top,
            self.kernel,
            self.initrd.display(),
            self.extra
        )
    }
}

/// The bytes as `guest.run=` on the command line of a tiny guest wants them.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = u32::from(chunk[0]) << 16
            | u32::from(chunk.get(1).copied().unwrap_or(0)) << 8
            | u32::from(chunk.get(2).copied().unwrap_or(0));
        for place in 0..4 {
            let digit = usize::try_from(word >> (18 - 6 * place) & 63).unwrap_or(0);
            text.push(if place <= chunk.len() {
                char::from(DIGITS[digit])
            } else {
                '='
            });
        }
    }
    text
}
