//! A day of somebody who has the published packages and nothing else: a new project is written, built and tested with them.

#![allow(clippy::panic, clippy::unwrap_used, reason = "test code: a panic is a verdict")]

use conformance::host::binary;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

/// What authors get, in the order of their dependencies.
const PACKAGES: [&str; 3] = ["driver-api", "lockstep", "conformance"];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Kept from run to run, since what others wrote is compiled into it once; apart from the workspace's own, which
/// belongs to whoever runs this test.
fn target() -> PathBuf {
    top().join("target/author")
}

fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(folder)
        .args(arguments)
        .env("CARGO_TARGET_DIR", target());
    // Less to write; what is compiled is the same.
    command
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "none");
    // The outer cargo's words to this test are not meant for that one.
    for name in [
        "CARGO_MANIFEST_DIR",
        "CARGO_PKG_NAME",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
    ] {
        command.env_remove(name);
    }
    command
}

/// What a command says, if it ends well.
fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{err}\n{out}", output.status);
    out
}

/// The packages as a registry would hand them out, unpacked once for all tests.
static UNPACKED: LazyLock<Vec<(&'static str, PathBuf)>> = LazyLock::new(unpack);

fn unpack() -> Vec<(&'static str, PathBuf)> {
    let mut packing = vec!["package", "--no-verify", "--offline", "--allow-dirty", "--quiet"];
    packing.extend(PACKAGES.iter().flat_map(|package| ["--package", package]));
    said(&mut cargo(top(), &packing));
    let unpack = |package: &'static str| {
        let name = format!("{package}-{}", env!("CARGO_PKG_VERSION"));
        let archive = target().join(format!("package/{name}.crate"));
        let folder = target().join("unpacked");
        let seen = folder.join(format!("{name}.crate"));
        // Files of a package are as old as the format: cargo sees that one changed only if it is written anew, and what
        // did not change need not be compiled again.
        if fs::read(&seen).ok() != Some(fs::read(&archive).unwrap()) {
            let _ = fs::remove_dir_all(folder.join(&name));
            fs::create_dir_all(&folder).unwrap();
            said(Command::new("tar").arg("-xzmf").arg(&archive).arg("-C").arg(&folder));
            fs::copy(&archive, &seen).unwrap();
        }
        (package, folder.join(name))
    };
    PACKAGES.map(unpack).to_vec()
}

/// A folder that ends with the test, and what was compiled for it.
struct Project {
    base: tempfile::TempDir,
    name: &'static str,
    _alone: MutexGuard<'static, ()>,
}

/// One at a time: cargo cleans by the names of targets, and all projects call their test `conformance`.
static PROJECTS: Mutex<()> = Mutex::new(());

impl Project {
    fn new(name: &'static str, kind: &str) -> Self {
        let packages = &*UNPACKED;
        let project = Self {
            base: tempfile::tempdir().unwrap(),
            name,
            _alone: PROJECTS.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let folder = project.folder();
        said(
            Command::new(binary())
                .args(["new-driver", "--kind", kind, name])
                .arg(&folder),
        );
        let manifest = folder.join("Cargo.toml");
        let mut text = fs::read_to_string(&manifest).unwrap();
        text.push_str("\n[patch.crates-io]\n");
        for (package, path) in packages {
            text.push_str(&format!("{package} = {{ path = {:?} }}\n", path.display().to_string()));
        }
        fs::write(manifest, text).unwrap();
        project
    }

    fn folder(&self) -> PathBuf {
        self.base.path().join("project")
    }

    /// Has it as it comes formatted, checked and tested; how many checks passed.
    fn passes(&self) -> u32 {
        let folder = self.folder();
        said(&mut cargo(&folder, &["fmt", "--check"]));
        let build = [
            "clippy",
            "--offline",
            "--quiet",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        said(&mut cargo(&folder, &build));
        let tested = said(&mut cargo(&folder, &TEST));
        let passed = tested
            .split("test result: ok. ")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        passed.unwrap_or_else(|| panic!("{tested}")).parse().unwrap()
    }

    /// Puts lines before one of `start`'s in the driver, which must be there.
    fn spoil(&self, before: &str, lines: &str) {
        let file = self.folder().join("src/lib.rs");
        let text = fs::read_to_string(&file).unwrap();
        let (head, start) = text.split_once("    fn start(").unwrap();
        assert!(start.contains(before), "{start}");
        let start = start.replacen(before, &format!("{lines}\n        {before}"), 1);
        fs::write(file, format!("{head}    fn start({start}")).unwrap();
    }

    /// What cargo says of it, which must not be well.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = cargo(&self.folder(), arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!output.status.success(), "{said}");
        said
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = cargo(
            &self.folder(),
            &[
                "clean",
                "--offline",
                "--quiet",
                "--package",
                &format!("{}-driver", self.name),
            ],
        )
        .status();
    }
}

const TEST: [&str; 5] = ["test", "--offline", "--quiet", "--test", "conformance"];
/// The line of the template's `start` that takes the domain's lock.
const SEIZE: &str = "let _guard = self.seize(cx, uuid)?;";

#[test]
fn a_project_of_the_template_passes_the_suite_with_the_packages_alone() {
    let passed = Project::new("author-day", "virt").passes();
    assert!(passed > 100, "{passed}");
}

/// No name makes a line so long that it is formatted otherwise.
const LONGEST: &str = "author-with-the-longest-name-yet";

#[test]
fn a_project_with_filters_passes_the_suite_too() {
    let passed = Project::new(LONGEST, "nwfilter").passes();
    assert!(passed > 60, "{passed}");
}

#[test]
fn whoever_breaks_the_order_of_locks_is_told_so() {
    // By the compiler, as long as it is asked.
    let project = Project::new("author-error", "virt");
    project.spoil(
        SEIZE,
        "let mut early = self.seize(cx, uuid)?;\n        let _update = early.update_read()?;",
    );
    let said = project.refused(&["check", "--offline", "--quiet"]);
    let sentence = "lock order: `Update` may not be acquired while `driver_api::lock::level::Domain` is held";
    assert!(said.contains(sentence), "{said}");
    let order = "the order is Filter -> Update -> Virt -> Domain; drop the guard that is held";
    assert!(said.contains(order), "{said}");
    drop(project);

    // By the suite, if the compiler was led round: one check names the order, and the end says to read that one.
    let project = Project::new("author-error", "virt");
    project.spoil(
        SEIZE,
        "std::mem::forget(cx.virt_write()?);\n        drop(cx.filters()?);",
    );
    let said = project.refused(&TEST);
    let sentence = "must locks.order, rules of the locks: expected none to be broken";
    assert!(said.contains(sentence), "{said}");
    assert!(
        said.contains("lock order: Filter may not be acquired while Virt of driver"),
        "{said}"
    );
    assert!(
        said.contains("read LOCK-001 first: conformance explain LOCK-001"),
        "{said}"
    );
    drop(project);

    // A lock that is kept is one check's to find.
    let project = Project::new("author-error", "virt");
    project.spoil("self.run(Domain::clone(&domain), given)", "std::mem::forget(_guard);");
    let said = project.refused(&TEST);
    assert!(
        said.contains("must locks.balance, start: expected every lock to be given back, found 1 still held"),
        "{said}"
    );
    assert!(said.contains("1 failed;"), "{said}");
}

#[test]
fn packages_have_what_a_registry_wants_and_all_of_the_template() {
    for (package, folder) in &*UNPACKED {
        for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(folder.join(file).is_file(), "{package}: {file}");
        }
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for field in ["description", "license", "rust-version", "readme", "keywords"] {
            assert!(manifest.contains(&format!("\n{field} = ")), "{package}: {field}");
        }
        if *package == "lockstep" {
            let listed = |folder: &Path| {
                let mut find = Command::new("find");
                find.current_dir(folder).args(["template", "-type", "f"]);
                let mut files: Vec<String> = said(&mut find).lines().map(str::to_owned).collect();
                files.sort();
                files
            };
            assert_eq!(listed(folder), listed(&top().join("host")));
        }
    }
}
