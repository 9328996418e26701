// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/node_addresses.hpp"

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::apply;

TEST_CASE("node addresses: those of what leads out, not those of containers and of kube-proxy") {
    struct Device {
        const char* name;
        const char* kind;
        const char* address;
        bool default_route = false;
        bool ours = false;
        bool global = true;
    };
    struct Row {
        std::vector<Device> devices;
        std::vector<std::string> named;
        const char* want;
    };
    const Row rows[] = {
        {{{"eth0", "", "192.0.2.1", true}, {"docker0", "bridge", "172.17.0.1"}, {"kube-ipvs0", "dummy", "10.96.0.1"}, {"cni1", "veth", "10.244.0.1"}, {"flannel.1", "vxlan", "10.244.0.0"}}, {}, "192.0.2.1 "},
        {{{"eth1", "", "192.0.2.2"}, {"eth0", "", "192.0.2.1", true}, {"bond0.7", "vlan", "192.0.2.3"}, {"lo", "", "198.51.100.1"}}, {}, "192.0.2.1 192.0.2.2 192.0.2.3 198.51.100.1 "},
        {{{"br0", "bridge", "192.0.2.1", true}, {"virbr0", "bridge", "192.168.122.1"}}, {}, "192.0.2.1 "},
        {{{"br0", "bridge", "192.0.2.1"}, {"dummy0", "dummy", "192.0.2.2"}, {"veth1", "veth", "192.0.2.3"}}, {"dummy0"}, "192.0.2.2 "},
        {{{"eth0", "veth", "192.0.2.1", true}, {"veth1", "veth", "192.0.2.3"}}, {}, "192.0.2.1 "},
        {{{"lo", "", "198.51.100.1"}, {"eth0", "veth", "192.0.2.1"}, {"docker0", "bridge", "172.17.0.1"}}, {}, "192.0.2.1 198.51.100.1 "},
        {{{"lo", "", "127.0.0.1"}, {"lo", "", "::1"}, {"eth0", "", "192.0.2.1", true, true}, {"eth0", "", "fe80::1", true, false, false}, {"eth0", "", "2001:db8::1", true}}, {}, "2001:db8::1 "},
    };
    for (const Row& row : rows) {
        std::vector<Interface> interfaces;
        std::vector<InterfaceAddress> addresses;
        std::vector<std::uint32_t> default_route;
        for (const Device& device : row.devices) {
            const auto index = static_cast<std::uint32_t>(interfaces.size() + 1);
            interfaces.push_back({.index = index, .name = device.name, .kind = device.kind, .up = true, .loopback = std::string_view(device.name) == "lo"});
            addresses.push_back({.address = *IpAddress::parse(device.address), .ifindex = index, .ours = device.ours, .global = device.global});
            if (device.default_route) {
                default_route.push_back(index);
            }
        }
        std::string got;
        for (const IpAddress& ip : node_addresses({interfaces, addresses, default_route, row.named})) {
            got += ip.text() + " ";
        }
        CHECK(got == row.want);
    }
}
