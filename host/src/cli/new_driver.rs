//! The verb `new-driver`: a project of one's own, with a driver that works and the suite that tests it.
//!
//! What it writes is a folder of `template` of this package, which `cargo generate` understands too.

use super::Session;
use super::exit::{Context, Failure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The verb of this file.
#[derive(Subcommand, Debug)]
pub enum Verb {
    /// Write a project with a driver of your own into a new folder
    NewDriver(Options),
}

/// What `new-driver` takes.
#[derive(Args, Debug)]
pub struct Options {
    /// The driver's name; of a virt driver also its URI scheme: `tea` serves `tea:///`
    #[arg(value_name = "NAME")]
    name: String,
    /// The folder to write, which must be empty or not there [default: NAME-driver]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// What the driver serves: guests (`virt`, the default) or filters of their networks (`nwfilter`)
    #[arg(long, value_enum, default_value_t = Kind::Virt)]
    kind: Kind,
    /// The `driver-api` to depend on: a version, or the folder of the package
    #[arg(long, value_name = "VERSION|DIR", default_value = env!("CARGO_PKG_VERSION"))]
    driver_api: String,
    /// The conformance suite to depend on: a version, or the folder of the package
    #[arg(long, value_name = "VERSION|DIR", default_value = env!("CARGO_PKG_VERSION"))]
    conformance: String,
}

/// The longest name that a host accepts, in bytes.
const LONGEST: usize = 32;
/// The drivers that come with the host: of two with one name only the first is loaded.
const TAKEN: [&str; 2] = ["uml", "nwfilter"];

/// What a new driver serves; each has a template of its own.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Domains: guests of a kind of their own
    Virt,
    /// Network filters, in one file
    Nwfilter,
}

/// A file of a template: where it goes, and what is in it.
type Entry = (&'static str, &'static str);

macro_rules! template {
    ($kind:literal: $($file:literal $(as $name:literal)?),+ $(,)?) => {
        &[$((template!(@name $file $($name)?), include_str!(concat!("../../template/", $kind, "/", $file)))),+]
    };
    (@name $file:literal) => { $file };
    (@name $file:literal $name:literal) => { $name };
}

// In the package of this crate a folder with a Cargo.toml would be left out as a package of its own.
const VIRT: &[Entry] = template! {
    "virt":
    "Cargo.toml.liquid" as "Cargo.toml",
    "README.md",
    "conformance.toml",
    ".gitignore",
    ".github/workflows/ci.yml",
    "src/lib.rs",
    "src/document.rs",
    "src/domain.rs",
    "src/stats.rs",
    "src/store.rs",
    "src/table.rs",
    "tests/conformance.rs",
};

const NWFILTER: &[Entry] = template! {
    "nwfilter":
    "Cargo.toml.liquid" as "Cargo.toml",
    "README.md",
    "conformance.toml",
    ".gitignore",
    ".github/workflows/ci.yml",
    "src/lib.rs",
    "tests/conformance.rs",
};

impl Kind {
    const fn template(self) -> &'static [Entry] {
        match self {
            Self::Virt => VIRT,
            Self::Nwfilter => NWFILTER,
        }
    }
}

/// What stands in the places that the template leaves open.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Filling {
    name: String,
    driver_api: String,
    conformance: String,
}

impl Filling {
    fn fill(&self, text: &str) -> String {
        let name = &self.name;
        let title = name[..1].to_uppercase() + &name[1..];
        [
            ("{{project-name}}", &format!("{name}-driver")),
            ("{{crate_name}}", &format!("{}_driver", name.replace('-', "_"))),
            ("{{driver}}", name),
            ("{{driver | capitalize}}", &title),
            ("{{driver_api}}", &self.driver_api),
            ("{{conformance}}", &self.conformance),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
    }
}

fn usage(message: String) -> Failure {
    Failure::Usage(message)
}

/// Whether a driver can be called so: the host, the URI and cargo all have a say.
fn check_name(name: &str) -> Result<(), Failure> {
    let bad = |what: &str| Err(usage(format!("a driver can not be called '{name}': {what}")));
    if name.is_empty() || name.len() > LONGEST {
        return bad("a name has 1 to 32 characters");
    }
    if !name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    {
        return bad("it is a URI scheme, so use lower-case letters, digits and '-' only");
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return bad("a URI scheme begins with a letter");
    }
    if name.ends_with('-') || name.contains("--") {
        return bad("a '-' stands between two letters or digits");
    }
    if let Some(short) = name.strip_suffix("-driver") {
        return bad(&format!("'-driver' is added where it belongs; call it '{short}'"));
    }
    if TAKEN.contains(&name) {
        return bad("a driver of that name comes with Lockstep, and a host loads one of a name only");
    }
    Ok(())
}

/// A dependency as Cargo.toml says it: a version, or the folder of a package.
fn dependency(option: &str, given: &str) -> Result<String, Failure> {
    let text = |text: &str| toml::Value::from(text).to_string();
    let folder = Path::new(given);
    if folder.is_dir() {
        let whole = folder.canonicalize();
        let whole = whole.context(|| format!("cannot find the folder '{given}' of --{option}"))?;
        if !whole.join("Cargo.toml").is_file() {
            return Err(usage(format!("--{option}: there is no Cargo.toml in '{given}'")));
        }
        let path = whole.to_str();
        let path = path.ok_or_else(|| usage(format!("--{option}: the path of '{given}' is not UTF-8")))?;
        return Ok(format!("{{ path = {} }}", text(path)));
    }
    let version = given.trim_start_matches(['=', '^', '~', ' ']);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+');
    if version.starts_with(|c: char| c.is_ascii_digit()) && version.chars().all(plain) {
        return Ok(text(given));
    }
    Err(usage(format!(
        "--{option}: '{given}' is neither a version nor the folder of a package"
    )))
}

/// Whether the folder is ours to fill.
fn check_folder(folder: &Path) -> Result<(), Failure> {
    let shown = folder.display();
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(usage(format!(
                "the folder '{shown}' is not empty: name one that is empty or not there"
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(usage(format!("'{shown}' is not a folder: name one that is not there")))
        }
        Err(error) => Err(error).context(|| format!("cannot read the folder '{shown}'")),
    }
}

fn write(folder: &Path, template: &[Entry], filling: &Filling) -> Result<(), Failure> {
    for (name, text) in template {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).context(|| format!("cannot make the folder '{}'", parent.display()))?;
        fs::write(&path, filling.fill(text)).context(|| format!("cannot write '{}'", path.display()))?;
    }
    Ok(())
}

impl Verb {
    pub(super) fn perform(self, session: &Session) -> Result<(), Failure> {
        let Self::NewDriver(options) = self;
        check_name(&options.name)?;
        let filling = Filling {
            driver_api: dependency("driver-api", &options.driver_api)?,
            conformance: dependency("conformance", &options.conformance)?,
            name: options.name,
        };
        let name = &filling.name;
        let folder = options
            .folder
            .unwrap_or_else(|| PathBuf::from(format!("{name}-driver")));
        check_folder(&folder)?;
        let template = options.kind.template();
        write(&folder, template, &filling)?;
        let shown = folder.display().to_string();
        let files: Vec<&str> = template.iter().map(|(name, _)| *name).collect();
        session.out.done(
            format_args!("Driver '{name}' written to '{shown}'; 'cargo test' there runs the conformance suite"),
            &json!({ "driver": name, "folder": shown, "files": files }),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filling() -> Filling {
        Filling {
            name: "green-tea".to_owned(),
            driver_api: "\"1.0\"".to_owned(),
            conformance: "{ path = \"/x\" }".to_owned(),
        }
    }

    #[test]
    fn names_are_those_that_host_uri_and_cargo_take() {
        for name in ["tea", "green-tea", "t9", "a", &"x".repeat(32)] {
            check_name(name).unwrap();
        }
        let long = "x".repeat(33);
        let bad = [
            "",
            &long,
            "Tea",
            "té",
            "a_b",
            "a/b",
            "..",
            "9p",
            "-a",
            "a-",
            "a--b",
            "tea-driver",
            "uml",
            "nwfilter",
        ];
        for name in bad {
            let refused = check_name(name).unwrap_err();
            assert_eq!(refused.code(), 2, "{refused}");
            assert!(refused.to_string().contains(&format!("'{name}'")), "{refused}");
        }
    }

    #[test]
    fn dependencies_are_versions_or_folders() {
        assert_eq!(dependency("driver-api", "1.2.3-rc.1").unwrap(), "\"1.2.3-rc.1\"");
        assert_eq!(dependency("driver-api", "=1.2").unwrap(), "\"=1.2\"");
        let own = env!("CARGO_MANIFEST_DIR");
        assert_eq!(
            dependency("driver-api", own).unwrap(),
            format!("{{ path = \"{own}\" }}")
        );
        for bad in ["", "*", "\"1\"", "no/such/folder", "1.0\" }", &format!("{own}/src")] {
            assert_eq!(dependency("driver-api", bad).unwrap_err().code(), 2, "{bad}");
        }
    }

    #[test]
    fn only_an_empty_folder_is_filled() {
        let dir = tempfile::tempdir().unwrap();
        check_folder(dir.path()).unwrap();
        check_folder(&dir.path().join("new/er")).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        for (folder, why) in [(dir.path(), "is not empty"), (&file, "is not a folder")] {
            let refused = check_folder(folder).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn every_place_of_the_templates_is_filled() {
        for kind in [Kind::Virt, Kind::Nwfilter] {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), kind.template(), &filling()).unwrap();
            for (name, _) in kind.template() {
                let text = fs::read_to_string(dir.path().join(name)).unwrap();
                assert!(!text.contains("{{"), "{name}");
            }
            let manifest = fs::read_to_string(dir.path().join("Cargo.toml")).unwrap();
            let manifest: toml::Table = manifest.parse().unwrap();
            assert_eq!(manifest["package"]["name"].as_str(), Some("green-tea-driver"));
            assert_eq!(manifest["dev-dependencies"]["conformance"]["path"].as_str(), Some("/x"));
            let driver = fs::read_to_string(dir.path().join("src/lib.rs")).unwrap();
            assert!(driver.contains("\"Green-tea\""), "{driver}");
        }
    }

    #[test]
    fn every_file_of_the_templates_is_written() {
        fn walk(below: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(below).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.push(path);
                }
            }
        }
        for kind in [Kind::Virt, Kind::Nwfilter] {
            let name = kind.to_possible_value().unwrap();
            let top = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("template")
                .join(name.get_name());
            let mut found = Vec::new();
            walk(&top, &mut found);
            let name = |path: &PathBuf| {
                path.strip_prefix(&top)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .replace(".liquid", "")
            };
            let mut there: Vec<String> = found.iter().map(name).collect();
            // Only `cargo generate` reads it.
            there.retain(|name| name != "cargo-generate.toml");
            there.sort();
            let mut written: Vec<&str> = kind.template().iter().map(|(name, _)| *name).collect();
            written.sort_unstable();
            assert_eq!(there, written);
        }
    }

    #[test]
    fn what_templates_share_is_the_same() {
        for (name, text) in NWFILTER {
            if [".gitignore", ".github/workflows/ci.yml", "tests/conformance.rs"].contains(name) {
                let same = VIRT.iter().find(|(other, _)| other == name);
                assert_eq!(same, Some(&(*name, *text)));
            }
        }
    }
}
