//! Tests of the engine against a kernel that remembers and can refuse.

mod faults;
mod learning;
mod ports;
mod restart;
mod stress;

use super::testing::{Recorder, School, kernel};
use super::*;
use crate::binding::{BindingDef, Maker, parse as binding};
use crate::def::FilterDef;
use crate::def::parse::{Mode as Reading, parse};
use std::collections::BTreeSet;
use std::path::PathBuf;
use tempfile::TempDir;

/// An engine with all that it works on.
struct World {
    folder: TempDir,
    engine: Engine,
    kernel: Arc<Recorder>,
    school: Arc<School>,
}

fn engine(folder: &TempDir, kernel: &Arc<Recorder>, school: &Arc<School>) -> Engine {
    let kernel = Arc::clone(kernel);
    let opener: Opener = Box::new(move || Ok(Arc::clone(&kernel) as Arc<dyn Backend>));
    let conf = folder.path().join("conf");
    std::fs::create_dir_all(&conf).unwrap();
    let engine = Engine::new(conf, folder.path(), opener).unwrap();
    engine.teach(Arc::clone(school) as Arc<dyn Learner>);
    engine
}

fn filter(name: &str, rules: &str) -> FilterDef {
    let tail: String = name.bytes().map(|byte| format!("{byte:02x}")).take(6).collect();
    let uuid = format!("00000000-0000-0000-0000-{tail:0>12}");
    let document = format!("<filter name='{name}'><uuid>{uuid}</uuid>{rules}</filter>");
    parse(document.as_bytes(), Reading::Validate).unwrap().def
}

fn request(port: &str, filter: &str, parameters: &[(&str, &str)]) -> BindingDef {
    let parameters: String = parameters
        .iter()
        .map(|(name, value)| format!("<parameter name='{name}' value='{value}'/>"))
        .collect();
    let number = u8::try_from(port.bytes().map(u32::from).sum::<u32>() % 256).unwrap();
    let document = format!(
        "<filterbinding><owner><name>vm-{port}</name><uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid></owner>\
         <portdev name='{port}'/><mac address='02:00:00:00:00:{number:02x}'/>\
         <filterref filter='{filter}'>{parameters}</filterref></filterbinding>"
    );
    binding::parse(document.as_bytes(), Reading::Validate).unwrap().def
}

const DROP_IN: &str = "<rule action='drop' direction='in'><ip protocol='tcp' dstportstart='22'/></rule>";
const OWN_MAC: &str = "<rule action='drop' direction='out'><mac match='no' srcmacaddr='$MAC'/></rule>";
const OWN_IP: &str = "<rule action='drop' direction='out'><ip match='no' srcipaddr='$IP'/></rule>";

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (kernel, school) = (kernel(), Arc::<School>::default());
        let engine = engine(&folder, &kernel, &school);
        engine.start(Filters::default()).unwrap();
        kernel.asked();
        Self {
            folder,
            engine,
            kernel,
            school,
        }
    }

    /// Another engine on the same files and kernel, with the filters that the first one has.
    fn restarted(&mut self) {
        self.school = Arc::default();
        let filters = Filters::clone(&self.engine.filters());
        self.engine = engine(&self.folder, &self.kernel, &self.school);
        self.engine.start(filters).unwrap();
    }

    fn define(&self, def: FilterDef) -> Result<()> {
        let changed = BTreeSet::from([def.name.clone()]);
        let staged = self.engine.store.stage(&def)?;
        let Some(next) = self.engine.filters().with(def)? else {
            return Ok(());
        };
        self.engine.define(next, &changed, Some(staged))
    }

    fn with(self, name: &str, rules: &str) -> Self {
        self.define(filter(name, rules)).unwrap();
        self
    }

    fn create(&self, port: &str, filter: &str, parameters: &[(&str, &str)]) -> Result<()> {
        self.engine.create(request(port, filter, parameters), Maker::Client)
    }

    fn bound(&self, port: &str) -> Arc<Bound> {
        Arc::clone(&self.engine.ports()[port])
    }

    fn file(&self, port: &str) -> PathBuf {
        self.folder.path().join("bindings").join(format!("{port}.xml"))
    }

    /// What must be the same before and after something that failed.
    fn all(&self) -> (crate::ruleset::Desired, Vec<(String, String)>, Vec<String>, String) {
        let ports = self.engine.ports();
        let ports: Vec<String> = ports.values().map(|bound| format!("{bound:?}")).collect();
        let mut files: Vec<(String, String)> = [self.folder.path().join("bindings"), self.folder.path().join("conf")]
            .iter()
            .flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten())
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap()))
            .collect();
        files.sort();
        let lessons = format!("{:?}", self.school.lessons.lock());
        (self.kernel.now(), files, ports, lessons)
    }
}
