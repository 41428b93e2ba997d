//! The drivers of this repository keep what their profiles promise, with nothing skipped where there is root.

use conformance::case::Case;
use conformance::guest::{image, repository};
use conformance::host::build_dir;
use conformance::need::Need;
use std::process::Command;

pub(crate) const CASES: &[Case] = &[
    Case {
        name: "conformance_of_uml_driver_meets_its_profiles",
        needs: &[Need::Root, Need::Uml],
        run: || {
            // Beside the plug-in, where its fixtures look for it.
            assert!(image().starts_with(build_dir()));
            meets("uml", "tests/fixtures/uml.toml", &[0]);
        },
    },
    Case {
        name: "conformance_of_nwfilter_driver_meets_its_profiles",
        needs: &[Need::Root],
        run: || meets("nwfilter", "tests/fixtures/nwfilter.toml", &[0]),
    },
    Case {
        name: "conformance_of_hello_driver_has_no_failure",
        needs: &[],
        // It keeps nothing on disk and says so: what is about that is skipped, which no profile forgives.
        run: || meets("hello", "examples/hello-driver/conformance.toml", &[0, 3]),
    },
    Case {
        name: "conformance_of_qemu_driver_whose_guests_hear_no_power_button",
        needs: &[Need::Root, Need::Qemu],
        run: qemu_keeps_the_rules,
    },
];

/// What the suite can tell of guests in their firmware: they are asked to shut down, and go on.
fn qemu_keeps_the_rules() {
    let output = Command::new(build_dir().join("conformance"))
        .args(["run", "--filter", "VIRT-05", "--filter", "STATE-001", "--config"])
        .arg(repository().join("examples/qemu-driver/conformance.toml"))
        .arg(crate::qemu::driver().join("libqemu_driver.so"))
        .output()
        .expect("the suite runs");
    let report = String::from_utf8_lossy(&output.stdout);
    let passed = |id: &str| report.contains(&format!("pass  {id}"));
    assert!(
        output.status.success() && passed("VIRT-051") && passed("STATE-001"),
        "{report}"
    );
}

/// Runs the suite over one driver of this build.
fn meets(driver: &str, fixtures: &str, codes: &[i32]) {
    let output = Command::new(build_dir().join("conformance"))
        .arg("run")
        .arg(build_dir().join(format!("lib{driver}_driver.so")))
        .arg("--config")
        .arg(repository().join(fixtures))
        .output()
        .expect("the suite runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let code = output.status.code().unwrap_or(-1);
    assert!(codes.contains(&code), "exit code {code}:\n{text}");
}
