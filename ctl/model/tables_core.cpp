// SPDX-License-Identifier: Apache-2.0
// Service and EndpointSlice. Of these kinds we read a part: an API server has checked them, and their other fields are none of our business.
#include "ctl/model/decode.hpp"
#include "ctl/model/tables.hpp"

namespace penstock::model {

namespace {

template <class T>
Value without_ignored_of(Value value) {
    for (const std::string_view name : table_of(static_cast<const T*>(nullptr)).ignored) {
        value = value.without(name);
    }
    return value;
}

}  // namespace

Value without_ignored(Kind kind, const Value& object) {
    const Value* spec = kind == Kind::service ? object.find("spec") : nullptr;
    const Value* endpoints = kind == Kind::endpoint_slice ? object.find("endpoints") : nullptr;
    if (spec != nullptr) {
        return object.with("spec", without_ignored_of<Service>(*spec));
    }
    if (endpoints == nullptr || endpoints->type() != Value::Type::array) {
        return object;  // junk is decoding's to tell
    }
    Value::Array bare;
    for (const Value& endpoint : endpoints->items()) {
        bare.push_back(without_ignored_of<SliceEndpoint>(endpoint));
    }
    return object.with("endpoints", Value::array(std::move(bare)));
}

const Table<ServicePort>& table_of(const ServicePort*) {
    static const FieldsOf<ServicePort> f;
    static const Table<ServicePort> table = {
        {f.optional("name", &ServicePort::name), f.optional("protocol", &ServicePort::protocol, one_of({"TCP", "UDP", "SCTP"})), f.required("port", &ServicePort::port, port),
         f.optional("appProtocol", &ServicePort::app_protocol), f.custom("targetPort", false, [](const At& at, const Value& value, ServicePort& out) {
             if (value.as_string() != nullptr) {
                 out.target_name = *value.as_string();
                 return;
             }
             std::int32_t number = 0;
             if (read_value(at, value, number)) {
                 if (std::string fault = port(number); !fault.empty()) {
                     at.error(std::move(fault));
                 } else {
                     out.target_number = static_cast<std::uint16_t>(number);
                 }
             }
         })},
        {}, {"nodePort"}};
    return table;
}

const Table<Service>& table_of(const Service*) {
    static const FieldsOf<Service> f;
    static const Table<Service> table = {
        {f.optional("type", &Service::type, one_of({"ClusterIP", "NodePort", "LoadBalancer", "ExternalName"})), f.optional("ports", &Service::ports),
         f.optional("clusterIP", &Service::cluster_ip), f.optional("externalIPs", &Service::external_ips), f.optional("externalName", &Service::external_name)},
        {}, {"selector", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "sessionAffinity", "sessionAffinityConfig", "externalTrafficPolicy", "internalTrafficPolicy", "healthCheckNodePort",
             "publishNotReadyAddresses", "loadBalancerIP", "loadBalancerSourceRanges", "loadBalancerClass", "allocateLoadBalancerNodePorts", "trafficDistribution"}};
    return table;
}

const Table<EndpointPort>& table_of(const EndpointPort*) {
    static const FieldsOf<EndpointPort> f;
    static const Table<EndpointPort> table = {{f.optional("name", &EndpointPort::name), f.optional("protocol", &EndpointPort::protocol, one_of({"TCP", "UDP", "SCTP"})),
                                               f.optional("port", &EndpointPort::port, port), f.optional("appProtocol", &EndpointPort::app_protocol)}, {}, {}};
    return table;
}

const Table<EndpointConditions>& table_of(const EndpointConditions*) {
    static const FieldsOf<EndpointConditions> f;
    static const Table<EndpointConditions> table = {{f.optional("ready", &EndpointConditions::ready), f.optional("serving", &EndpointConditions::serving), f.optional("terminating", &EndpointConditions::terminating)}, {}, {}};
    return table;
}

const Table<SliceEndpoint>& table_of(const SliceEndpoint*) {
    static const FieldsOf<SliceEndpoint> f;
    static const Table<SliceEndpoint> table = {
        {f.required("addresses", &SliceEndpoint::addresses, items{1, 100}), f.optional("conditions", &SliceEndpoint::conditions), f.optional("nodeName", &SliceEndpoint::node_name),
         f.optional("zone", &SliceEndpoint::zone), f.custom("targetRef", false, [](const At&, const Value& value, SliceEndpoint& out) {
             auto text = [&](const char* member) {
                 const Value* found = value.find(member);
                 return found != nullptr && found->as_string() != nullptr ? *found->as_string() : std::string();
             };
             out.target = text("kind") + "/" + text("namespace") + "/" + text("name");
         })},
        {}, {"hostname", "deprecatedTopology", "hints"}};
    return table;
}

const Table<EndpointSlice>& table_of(const EndpointSlice*) {
    static const FieldsOf<EndpointSlice> f;
    static const Table<EndpointSlice> table = {
        {f.required("addressType", &EndpointSlice::address_type, one_of({"IPv4", "IPv6", "FQDN"})), f.optional("ports", &EndpointSlice::ports), f.optional("endpoints", &EndpointSlice::endpoints, items{0, 1000})},
        {}, {"apiVersion", "kind", "metadata"}};
    return table;
}

}  // namespace penstock::model
