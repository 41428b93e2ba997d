//! A [`Tune`] as named values, in which the host takes limits and clients change them.

use super::{Bandwidth, BlockDevice, PERIOD, QUOTA, SHARES, Tune, UNLIMITED_KIB, WEIGHT};
use driver_api::error::{Code, Error, Origin, Result};
use driver_api::types::param::{Param, Value};
use std::fmt::{Debug, Display};
use std::ops::RangeInclusive;

impl Tune {
    /// What the host is told, in the names and units of [`driver_api::host::Host::limit`]; only what is set.
    #[must_use]
    pub fn params(&self) -> Vec<Param> {
        let mut params = Vec::new();
        let mut add = |name: &str, value: Option<Value>| params.extend(value.map(|value| Param::new(name, value)));
        add("cpu_shares", self.cpu.shares.map(Value::Ulong));
        for (name, bandwidth) in [
            ("vcpu", self.cpu.vcpu),
            ("emulator", self.cpu.emulator),
            ("global", self.cpu.global),
        ] {
            add(&format!("{name}_period"), bandwidth.period.map(Value::Ulong));
            // Any negative number means the same in a document.
            let quota = bandwidth.quota.map(|quota| quota.max(-1));
            add(&format!("{name}_quota"), quota.map(Value::Long));
        }
        add("cpuset", self.processors().map(|set| Value::Text(set.to_string())));
        add("hard_limit", self.memory.hard_limit.map(Value::Ulong));
        add("soft_limit", self.memory.soft_limit.map(Value::Ulong));
        add("swap_hard_limit", self.memory.swap_hard_limit.map(Value::Ulong));
        add("weight", self.block.weight.map(Value::Uint));
        add("device_weight", self.devices(|device| device.weight));
        add("device_read_bytes_sec", self.devices(|device| device.read_bytes));
        add("device_write_bytes_sec", self.devices(|device| device.write_bytes));
        add("device_read_iops_sec", self.devices(|device| device.read_iops));
        add("device_write_iops_sec", self.devices(|device| device.write_iops));
        params
    }

    /// One figure of all devices (`/dev/sda,100,/dev/sdb,200`).
    fn devices<T: Display>(&self, figure: impl Fn(&BlockDevice) -> Option<T>) -> Option<Value> {
        let devices = self.block.devices.iter();
        let said = devices.filter_map(|device| figure(device).map(|figure| format!("{},{figure}", device.path)));
        let said: Vec<String> = said.collect();
        (!said.is_empty()).then(|| Value::Text(said.join(",")))
    }

    /// Changes one value; names and units as in [`driver_api::host::Host::limit`]. A memory limit of
    /// 9007199254740991 or more, and a figure 0 of a device, take the limit away.
    ///
    /// # Errors
    /// 8 for a name that is none of a definition's and for a value out of bounds; nothing is changed then.
    pub fn set(&mut self, param: &Param) -> Result<()> {
        let name = param.name.as_str();
        match name {
            "cpu_shares" => self.cpu.shares = Some(within(param, param.value.as_u64(), &SHARES)?),
            "vcpu_period" | "emulator_period" | "global_period" => {
                self.bandwidth(name).period = Some(within(param, param.value.as_u64(), &PERIOD)?);
            }
            "vcpu_quota" | "emulator_quota" | "global_quota" => {
                let quota = match param.value.as_i64() {
                    Some(quota) if quota < 0 => -1,
                    quota => within(param, quota, &QUOTA)?,
                };
                self.bandwidth(name).quota = Some(quota);
            }
            "cpuset" => {
                let set = param.value.as_text().and_then(|text| text.parse().ok());
                self.cpuset = Some(set.ok_or_else(|| wrong(param, "not a set of processors like '0-3,^2'"))?);
            }
            "hard_limit" | "soft_limit" | "swap_hard_limit" => {
                let kib = param.value.as_u64().ok_or_else(|| wrong(param, "not a size in KiB"))?;
                let limit = (kib < UNLIMITED_KIB).then_some(kib);
                match name {
                    "hard_limit" => self.memory.hard_limit = limit,
                    "soft_limit" => self.memory.soft_limit = limit,
                    _ => self.memory.swap_hard_limit = limit,
                }
            }
            "weight" => {
                let weight = param.value.as_u64().and_then(|weight| u32::try_from(weight).ok());
                self.block.weight = Some(within(param, weight, &WEIGHT)?);
            }
            _ => self.set_devices(param)?,
        }
        Ok(())
    }

    fn bandwidth(&mut self, name: &str) -> &mut Bandwidth {
        match name.split_once('_') {
            Some(("emulator", _)) => &mut self.cpu.emulator,
            Some(("global", _)) => &mut self.cpu.global,
            _ => &mut self.cpu.vcpu,
        }
    }

    fn set_devices(&mut self, param: &Param) -> Result<()> {
        let set: fn(&mut BlockDevice, u64) -> bool = match param.name.as_str() {
            "device_weight" => |device, figure| {
                let weight = u32::try_from(figure).ok();
                device.weight = weight.filter(|weight| WEIGHT.contains(weight));
                figure == 0 || device.weight.is_some()
            },
            "device_read_bytes_sec" => |device, figure| {
                device.read_bytes = Some(figure).filter(|figure| *figure > 0);
                true
            },
            "device_write_bytes_sec" => |device, figure| {
                device.write_bytes = Some(figure).filter(|figure| *figure > 0);
                true
            },
            "device_read_iops_sec" => |device, figure| {
                let figure = u32::try_from(figure).ok();
                device.read_iops = figure.filter(|figure| *figure > 0);
                figure.is_some()
            },
            "device_write_iops_sec" => |device, figure| {
                let figure = u32::try_from(figure).ok();
                device.write_iops = figure.filter(|figure| *figure > 0);
                figure.is_some()
            },
            _ => return Err(wrong(param, "not a limit of a definition")),
        };
        let text = param.value.as_text();
        let text = text.ok_or_else(|| wrong(param, "not a text like '/dev/sda,100'"))?;
        let mut block = self.block.clone();
        for (path, figure) in pairs(text).ok_or_else(|| wrong(param, "not pairs like '/dev/sda,100,/dev/sdb,200'"))? {
            let place = block.devices.iter().position(|device| device.path == path);
            let place = place.unwrap_or(block.devices.len());
            if place == block.devices.len() {
                block.devices.push(BlockDevice {
                    path: path.to_owned(),
                    ..BlockDevice::default()
                });
            }
            let done = block.devices.get_mut(place).is_some_and(|device| set(device, figure));
            if !done {
                return Err(wrong(param, &format!("out of bounds for device '{path}'")));
            }
        }
        block.tidy();
        self.block = block;
        Ok(())
    }
}

/// `path,figure,path,figure...`
fn pairs(text: &str) -> Option<Vec<(&str, u64)>> {
    let mut words = text.split(',');
    let mut pairs = Vec::new();
    while let Some(path) = words.next() {
        let figure = words.next()?.parse().ok()?;
        pairs.push((Some(path).filter(|path| path.starts_with('/'))?, figure));
    }
    Some(pairs)
}

fn within<T: PartialOrd + Debug + Copy>(param: &Param, value: Option<T>, bounds: &RangeInclusive<T>) -> Result<T> {
    value.filter(|value| bounds.contains(value)).ok_or_else(|| {
        let bounds = format!("not a number from {:?} to {:?}", bounds.start(), bounds.end());
        wrong(param, &bounds)
    })
}

fn wrong(param: &Param, why: &str) -> Error {
    let value = match &param.value {
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Long(value) => value.to_string(),
        Value::Ulong(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Text(text) => text.escape_debug().to_string(),
    };
    let message = format!("'{value}' for '{}' is {why}", param.name.escape_debug());
    Error::new(Code::INVALID_ARG, Origin::DOMAIN, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuned(params: &[Param]) -> Tune {
        let mut tune = Tune::default();
        for param in params {
            tune.set(param).unwrap();
        }
        tune
    }

    #[test]
    fn what_is_set_is_told() {
        let params = [
            Param::new("cpu_shares", 512_u64),
            Param::new("vcpu_period", 100_000_u64),
            Param::new("vcpu_quota", 50_000_i64),
            Param::new("emulator_quota", -1_i64),
            Param::new("global_period", 1_000_u64),
            Param::new("cpuset", "0-1,3"),
            Param::new("hard_limit", 1_u64 << 20),
            Param::new("swap_hard_limit", 1_u64 << 21),
            Param::new("weight", 500_u32),
            Param::new("device_weight", "/dev/a,100,/dev/b,200"),
            Param::new("device_read_bytes_sec", "/dev/b,4096"),
            Param::new("device_write_iops_sec", "/dev/c,7"),
        ];
        assert_eq!(tuned(&params).params(), params);
    }

    #[test]
    fn limits_are_taken_away_by_libvirts_figures() {
        let mut tune = tuned(&[
            Param::new("hard_limit", 4_u64),
            Param::new("device_weight", "/dev/a,100,/dev/b,200"),
            Param::new("device_read_iops_sec", "/dev/b,5"),
        ]);
        tune.set(&Param::new("hard_limit", UNLIMITED_KIB)).unwrap();
        tune.set(&Param::new("device_weight", "/dev/b,0,/dev/a,0")).unwrap();
        assert_eq!(tune.params(), [Param::new("device_read_iops_sec", "/dev/b,5")]);
    }

    #[test]
    fn wrong_values_are_refused_by_name_and_change_nothing() {
        let mut tune = Tune::default();
        for param in [
            Param::new("cpu_shares", 1_u64),
            Param::new("cpu_shares", "many"),
            Param::new("vcpu_period", 999_u64),
            Param::new("global_quota", 999_i64),
            Param::new("cpuset", "x"),
            Param::new("soft_limit", -1_i64),
            Param::new("weight", 9_u32),
            Param::new("device_weight", "/dev/a,5"),
            Param::new("device_weight", "/dev/a,100,/dev/b"),
            Param::new("device_weight", "sda,100"),
            Param::new("device_read_iops_sec", "/dev/a,5000000000"),
            Param::new("device_weight", 5_u32),
            Param::new("pids", 5_u64),
        ] {
            let error = tune.set(&param).unwrap_err();
            assert_eq!(error.code(), Code::INVALID_ARG);
            assert!(error.to_string().contains(&format!("for '{}'", param.name)), "{error}");
            assert_eq!(tune, Tune::default(), "{param:?}");
        }
    }
}
