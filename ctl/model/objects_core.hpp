// SPDX-License-Identifier: Apache-2.0
// Service, EndpointSlice, Secret, ConfigMap, Namespace: of each only what an edge needs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ctl/model/objects.hpp"

namespace penstock::model {

struct ServicePort {
    std::string name;
    std::string protocol = "TCP";  // TCP, UDP, SCTP
    std::int32_t port = 0;
    std::string app_protocol;
    std::optional<std::uint16_t> target_number;  // targetPort, if it is a number
    std::string target_name;                     // if it is a name
};

struct Service {
    std::string type = "ClusterIP";
    std::vector<ServicePort> ports;
    std::string cluster_ip;  // "None": headless
    std::vector<std::string> external_ips;
    std::string external_name;
};

struct EndpointPort {
    std::string name;
    std::string protocol = "TCP";
    std::optional<std::int32_t> port;
    std::string app_protocol;
};

// Absent counts as the API says: ready and serving as true, terminating as false.
struct EndpointConditions {
    std::optional<bool> ready;
    std::optional<bool> serving;
    std::optional<bool> terminating;
};

struct SliceEndpoint {
    std::vector<std::string> addresses;
    EndpointConditions conditions;
    std::string node_name;
    std::string zone;
    std::string target;  // "Pod/ns/name", "" if none
};

struct EndpointSlice {
    std::string service;       // label kubernetes.io/service-name, "" if none
    std::string address_type;  // IPv4, IPv6, FQDN
    std::vector<EndpointPort> ports;
    std::vector<SliceEndpoint> endpoints;
};

// `data` holds the bytes, base64 undone and stringData merged in. The only place of the model that knows them: Object.raw does not.
struct Secret {
    std::string type = "Opaque";
    std::map<std::string, std::string> data;
};

struct ConfigMap {
    std::map<std::string, std::string> data;  // binaryData too, base64 undone
};

struct Namespace {};  // labels are in the metadata

}  // namespace penstock::model
