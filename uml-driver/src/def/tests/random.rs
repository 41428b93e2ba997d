//! Random documents: reading what was printed gives the same definition, and it prints the same again.

use super::read;
use proptest::prelude::*;

fn document() -> impl Strategy<Value = String> {
    let text = "[ -~é]{1,12}".prop_map(|text| driver_api::kit::xml::Element::new("x").with_text(text).to_string());
    let escaped = text.prop_map(|xml| xml.trim_end()[3..xml.len() - 5].to_owned());
    let unknown = prop::sample::select(vec![
        "",
        "<features><acpi/></features>",
        "<foo a='1'>t<b/></foo><bar/>",
        "<cpu mode='host-model'/><clock offset='localtime'/>",
        "<seclabel type='none'/><pm/><memtune/>",
        "<seclabel type='static' model='dac'><label>+1:+2</label></seclabel>",
        "<vcpu cpuset='1,0,^1' x='y'>2</vcpu><cputune x='y'><quota>-5</quota><period>0</period><vcpupin vcpu='1' cpuset='2,1'/><vcpupin vcpu='0' cpuset='3'/><cachetune/></cputune>",
        "<memtune><swap_hard_limit unit='MB'>5</swap_hard_limit><hard_limit>9007199254740991</hard_limit><min_guarantee>1</min_guarantee></memtune><cputune><shares> 7</shares></cputune>",
        "<blkiotune><device><path>/b</path><weight>10</weight></device><device><path>/c</path><weight>0</weight></device><device><path>/a</path><read_iops_sec>1</read_iops_sec></device></blkiotune>",
        "<metadata><x:a xmlns:x='u'> <x:b/>t</x:a></metadata>",
    ]);
    let device = prop::sample::select(vec![
        "<disk><source file='/a'/><target dev='ubd3'/><readonly/></disk>",
        "<disk type='block'><source dev='/b'/><target dev='ubda' bus='uml' x='y'/><boot order='1'/><alias name='ua-d'/></disk>",
        "<disk><driver type='raw'/><source file='/c' index='1'/><backingStore/><target dev='hda'/></disk>",
        "<disk><source file='/d'/><target dev='ubdb'/><backingStore type='file'><source file='/e'/><format type='raw'/><backingStore/></backingStore><serial>s</serial></disk>",
        "<interface type='bridge'><source bridge='b'/><target dev='tap0' managed='no'/><model type='virtio'/><filterref filter='f'><parameter name='IP' value='1'/><parameter name='IP' value='2'/></filterref></interface>",
        "<interface><link state='down'/><mtu size='1400'/><bandwidth><inbound average='1'/></bandwidth><boot order='2'/><target managed='no'/></interface>",
        "<console/>",
        "<console type='file'><source path='/l' append='on'/><log file='/m' append='off'/></console>",
        "<serial type='tcp'><source mode='bind' host='h' service='1'/><protocol type='raw'/></serial>",
        "<serial><target type='isa-serial'><model name='x'/></target></serial>",
        "<serial type='udp'><source mode='connect' host='h' service='1'/><source mode='bind' service='2' host=''/></serial>",
        "<serial type='unix'><source path='/u' x='y'/></serial>",
        "<console type='tcp'><source service='1' host='h' tls='no'><reconnect enabled='yes'/></source></console>",
        "<disk><source file='/v'/><target dev='vdb'/><driver type='qcow2' cache='none'/><backingStore type='block'><source dev='/w'/><format type='qcow2'/><backingStore><source file='/x'/></backingStore></backingStore></disk>",
        "<disk device='cdrom'><target dev='sdc'/></disk>",
        "<interface type='user'><ip prefix='24' address='10.1.2.0'/><ip family='ipv6' address='fd00::'/></interface>",
        "<interface type='mcast'><source port='1' address='230.0.0.1'/><mac address='52:54:0:0:0:1'/></interface>",
        "<interface type='udp'><source address='::1' port='1'><local port='2' address='::1'/></source><bandwidth x='y'><outbound burst='0' average='9'/><z/></bandwidth></interface>",
        "<interface type='network'><target managed='no' dev='vnet3'/><source bridge='b' network='n'/><bandwidth><inbound average='0'/></bandwidth></interface>",
        "<filesystem><target dir='/'/><source dir='/a' x='y'/><readonly/><driver type='path'/></filesystem>",
        "<filesystem type='template' accessmode='squash'><source name='t'/><target dir='t'/></filesystem>",
        "<hostdev><source/></hostdev>",
        "<zebra/><input type='tablet'/>",
    ]);
    (
        escaped,
        1_u64..1 << 40,
        unknown,
        prop::collection::vec(device, 0..6),
        prop::sample::select(vec!["", "KiB", "MB", "b"]),
    )
        .prop_map(|(text, memory, unknown, mut devices, unit)| {
            let mut lines = Vec::new();
            devices.retain(|device| {
                !device.starts_with("<disk")
                    || !lines.contains(device) && {
                        lines.push(device);
                        true
                    }
            });
            format!(
                "<domain type='uml'><name>vm</name><title>{text}</title>{unknown}<memory unit='{unit}'>{memory}</memory>
                 <os><cmdline>{text}</cmdline><type>uml</type><boot dev='hd'/></os><description>{text}</description>
                 <devices>{}</devices></domain>",
                devices.concat()
            )
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printing_and_reading_give_the_same_definition(document in document()) {
        let def = read(&document);
        let printed = def.to_xml(None);
        let again = read(&printed);
        prop_assert_eq!(&again, &def);
        prop_assert_eq!(again.to_xml(None), printed);
    }
}
