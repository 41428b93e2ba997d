//! Tests of the configuration: what a file may say, what it may not, and that the printed file reads back.

use super::*;
use std::fs;

fn load(text: &str) -> Result<Config, Error> {
    let root = tempfile::tempdir().unwrap();
    let conf = root.path().join("etc/lockstep");
    fs::create_dir_all(&conf).unwrap();
    fs::write(conf.join("lockstep.toml"), text).unwrap();
    Config::load(Overrides {
        root: Some(root.path().to_owned()),
        ..Overrides::default()
    })
}

fn refusal(text: &str) -> String {
    let error = load(text).unwrap_err().to_string();
    error.split_once("lockstep.toml:").unwrap().1.to_owned()
}

#[test]
fn file_absent_gives_defaults() {
    let root = tempfile::tempdir().unwrap();
    let config = Config::load(Overrides {
        root: Some(root.path().to_owned()),
        ..Overrides::default()
    })
    .unwrap();
    assert_eq!(config.settings, Settings::default());
    assert_eq!(config.file, None);
    assert_eq!(config.source("log", "filter"), "default");
}

#[test]
fn file_named_on_the_command_line_must_exist() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("none.toml");
    let error = Config::load(Overrides {
        root: Some(root.path().to_owned()),
        file: Some(file.clone()),
        ..Overrides::default()
    })
    .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with(&format!("cannot read '{}'", file.display())),
        "{error}"
    );
}

#[test]
fn values_come_from_the_file_with_their_line() {
    let config = load("[log]\nfilter = 'debug'\n\n[keepalive]\ncount = 7\ninterval = '250ms'\n").unwrap();
    assert_eq!(config.settings.log.filter, "debug");
    assert_eq!(config.settings.keepalive.interval, Duration::from_millis(250));
    assert!(config.source("keepalive", "count").ends_with("lockstep.toml:5"));
    assert_eq!(config.source("clients", "max"), "default");
}

#[test]
fn unknown_names_are_refused_with_line_and_nearest() {
    assert_eq!(
        refusal("[log]\nfilter = 'info'\n[keepalive]\nintervall = '5s'\n"),
        "4: there is no key 'keepalive.intervall', the nearest is 'interval' (`lockstep config` lists all)"
    );
    assert_eq!(
        refusal("\n[sockets]\nmode = '0600'\n"),
        "2: there is no table 'sockets', the nearest is 'socket' (`lockstep config` lists all)"
    );
}

#[test]
fn wrong_types_are_refused_with_line_and_what_is_taken() {
    assert_eq!(
        refusal("[workers]\npriority = 2\nordinary = 'many'\n"),
        "3: 'workers.ordinary' takes a whole number from 0 to 4294967295, not 'many'"
    );
    assert_eq!(refusal("log = 3\n"), "1: 'log' takes a table, not 3");
    assert!(refusal("[log]\nfilter = \n").starts_with("2: "));
}

#[test]
fn driver_tables_are_handed_over_as_text() {
    let config = load("[driver.uml]\nkernel = '/k'\nmemory = 0x10\nseccomp = true\nargs = ['a', 'b c']\n[driver.uml.net]\nmode = 'tap'\n").unwrap();
    let pairs: Vec<(&str, &str)> = config.driver_options("uml").iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(
        pairs,
        [
            ("args", "a\nb c"),
            ("kernel", "/k"),
            ("memory", "16"),
            ("net.mode", "tap"),
            ("seccomp", "true")
        ]
    );
    assert!(config.driver_options("other").is_empty());
    assert_eq!(refusal("[driver]\numl = 1\n"), "2: 'driver.uml' takes a table, not 1");
}

#[test]
fn plugin_dirs_of_the_command_line_come_first() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("l.toml");
    fs::write(&file, "[plugins]\ndirs = ['/file']\n").unwrap();
    let config = Config::load(Overrides {
        root: Some(root.path().to_owned()),
        file: Some(file),
        plugin_dirs: vec!["/line".into()],
        idle_timeout: None,
    })
    .unwrap();
    assert_eq!(config.plugin_dirs, [PathBuf::from("/line"), PathBuf::from("/file")]);
}

#[test]
fn printed_file_reads_back_as_the_same_settings() {
    let first =
        load("[console]\nlog_size = '3 KiB'\n[socket]\nmode = '0600'\n[driver.'odd name']\n'a b' = 'x\"y'\n").unwrap();
    let text = print::commented(&first);
    let second = load(&text).unwrap();
    assert_eq!(first.settings, second.settings, "{text}");
    assert_eq!(first.drivers, second.drivers, "{text}");
    assert!(
        text.contains("# The longest wait for a lock; the call then fails and names the holder.\n"),
        "{text}"
    );
}

#[test]
fn socket_modes_follow_the_instance_unless_set() {
    let mut config = load("").unwrap();
    config.paths.privileged = true;
    assert_eq!((config.socket_mode(), config.readonly_socket_mode()), (0o660, 0o660));
    config.paths.privileged = false;
    assert_eq!((config.socket_mode(), config.readonly_socket_mode()), (0o600, 0o600));
    assert_eq!(
        load("[socket]\nreadonly_mode = '0666'\n")
            .unwrap()
            .readonly_socket_mode(),
        0o666
    );
}
