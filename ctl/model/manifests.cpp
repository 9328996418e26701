// SPDX-License-Identifier: Apache-2.0
// Documents to objects: which kind, which version, metadata, and the kind's own table.
#include <algorithm>
#include <set>

#include "ctl/model/tables.hpp"
#include "userspace/base/base64.hpp"

namespace penstock::model {

Diagnostic diagnostic_of(Severity severity, const Object& object, std::string path, std::string message) {
    return {.severity = severity, .file = object.origin.file, .line = object.origin.line, .kind = std::string(kind_name(object.key.kind)), .ns = object.key.ns,
            .name = object.key.name, .path = std::move(path), .message = std::move(message)};
}

std::string Diagnostic::text() const {
    std::string out = file.empty() ? "" : file + (line != 0 ? ":" + std::to_string(line) : "") + ": ";
    return out + (path.empty() ? "" : path + ": ") + message;
}

bool ParseResult::has_errors() const {
    return std::any_of(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) { return d.severity == Severity::error; });
}

namespace {

std::string text_of(const Value* value) { return value != nullptr && value->as_string() != nullptr ? *value->as_string() : std::string(); }

std::string_view group_of(std::string_view api_version) {
    const std::size_t slash = api_version.find('/');
    return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

bool is_known_version(std::string_view api_version) {
    const std::string_view group = group_of(api_version);
    const std::string_view version = api_version.substr(group.empty() ? 0 : group.size() + 1);
    const bool gateway_group = group == kGatewayGroup || group == kExperimentalGroup;
    return version == "v1" || (gateway_group && (version == "v1beta1" || version == "v1alpha2" || version == "v1alpha3" || version == "v1alpha1"));
}

// ---- metadata ---------------------------------------------------------------------------------------------------------------
std::int64_t time_of(const At& at, const Value* value) {
    if (value == nullptr || value->is_null()) {
        return 0;
    }
    const auto seconds = time_s(text_of(value));
    if (!seconds) {
        at.error("is not a time like 2026-01-02T03:04:05Z");
    }
    return seconds.value_or(0);
}

void read_labels(const At& at, const Value& metadata, const char* name, Labels& out) {
    if (const Value* labels = metadata.find(name); labels != nullptr && !labels->is_null()) {
        read_value(at.member(name, labels->line()), *labels, out);
    }
}

void read_metadata(const At& at, const Value& metadata, Metadata& out) {
    out.uid = text_of(metadata.find("uid"));
    out.resource_version = text_of(metadata.find("resourceVersion"));
    if (const Value* generation = metadata.find("generation"); generation != nullptr && generation->as_integer() != nullptr) {
        out.generation = *generation->as_integer();
    }
    read_labels(at, metadata, "labels", out.labels);
    read_labels(at, metadata, "annotations", out.annotations);
    out.creation_s = time_of(at.member("creationTimestamp", metadata.line()), metadata.find("creationTimestamp"));
    if (const Value* deletion = metadata.find("deletionTimestamp"); deletion != nullptr && !deletion->is_null()) {
        out.deletion_s = time_of(at.member("deletionTimestamp", metadata.line()), deletion);
    }
}

// Errors are told; the key is good only if there were none.
ObjectKey read_key(const At& at, const Value& document, const KindInfo& kind) {
    ObjectKey key{kind.kind, "", ""};
    const Value* metadata = document.find("metadata");
    const At place = at.member("metadata", metadata != nullptr ? metadata->line() : document.line());
    if (metadata == nullptr || metadata->type() != Value::Type::object) {
        place.error("is missing");
        return key;
    }
    key.name = text_of(metadata->find("name"));
    if (!is_dns_subdomain(key.name)) {
        place.member("name", metadata->line()).error(key.name.empty() ? "is missing" : quoted(key.name) + " is not a name");
    }
    const std::string ns = text_of(metadata->find("namespace"));
    key.ns = !kind.namespaced ? "" : ns.empty() ? "default" : ns;
    if (kind.namespaced && !is_dns_label(key.ns)) {
        place.member("namespace", metadata->line()).error(quoted(ns) + " is not a namespace name");
    }
    return key;
}

// ---- bodies -------------------------------------------------------------------------------------------------------------------
template <class Spec>
void read_spec(const At& at, const Value& document, Body& body) {
    Spec spec;
    const Value* value = document.find("spec");
    if (value == nullptr || value->is_null()) {
        at.member("spec", document.line()).error("is missing");
    } else {
        read_value(at.member("spec", value->line()), *value, spec);
    }
    body = std::move(spec);
}

void warn_unknown_members(const At& at, const Value& document, std::initializer_list<std::string_view> known) {
    for (const Value::Member& member : document.members()) {
        if (std::find(known.begin(), known.end(), member.name) == known.end()) {
            at.member(member.name, member.value.line()).warning(unknown_field(member.name, known));
        }
    }
}

// Data maps: keys checked, values base64 or plain. Values are never told: they are secrets.
void read_data(const At& at, const Value& document, const char* member, bool base64, std::map<std::string, std::string>& out) {
    const Value* data = document.find(member);
    if (data == nullptr || data->is_null()) {
        return;
    }
    const At place = at.member(member, data->line());
    if (!expect(place, *data, Value::Type::object)) {
        return;
    }
    for (const Value::Member& entry : data->members()) {
        const At where = place.member(entry.name, entry.value.line());
        const std::string* text = entry.value.as_string();
        const auto decoded = text == nullptr ? std::nullopt : base64 ? base64_decoded(*text) : std::optional<std::string>(*text);
        if (!is_config_key(entry.name)) {
            where.error("is not a key of letters, digits, '-', '_' and '.'");
        } else if (!decoded) {
            where.error(text == nullptr ? "must be a string" : "is not base64");
        } else {
            out[entry.name] = *decoded;
        }
    }
}

void read_secret(const At& at, const Value& document, Body& body) {
    Secret secret;
    warn_unknown_members(at, document, {"apiVersion", "kind", "metadata", "type", "data", "stringData", "immutable"});
    secret.type = text_of(document.find("type")).empty() ? secret.type : text_of(document.find("type"));
    read_data(at, document, "data", true, secret.data);
    read_data(at, document, "stringData", false, secret.data);
    body = std::move(secret);
}

void read_config_map(const At& at, const Value& document, Body& body) {
    ConfigMap map;
    warn_unknown_members(at, document, {"apiVersion", "kind", "metadata", "data", "binaryData", "immutable"});
    read_data(at, document, "data", false, map.data);
    read_data(at, document, "binaryData", true, map.data);
    body = std::move(map);
}

// Its fields stand beside the metadata.
void read_endpoint_slice(const At& at, const Value& document, const Metadata& meta, Body& body) {
    EndpointSlice slice;
    read_value(at, document, slice);
    if (const auto label = meta.labels.find("kubernetes.io/service-name"); label != meta.labels.end()) {
        slice.service = label->second;
    }
    body = std::move(slice);
}

void read_body(const At& at, const Value& document, const Metadata& meta, Kind kind, Body& body) {
    switch (kind) {
        case Kind::gateway_class: return read_spec<GatewayClass>(at, document, body);
        case Kind::gateway: return read_spec<Gateway>(at, document, body);
        case Kind::listener_set: return read_spec<ListenerSet>(at, document, body);
        case Kind::http_route: return read_spec<HttpRoute>(at, document, body);
        case Kind::grpc_route: return read_spec<GrpcRoute>(at, document, body);
        case Kind::tls_route: return read_spec<TlsRoute>(at, document, body);
        case Kind::tcp_route: return read_spec<TcpRoute>(at, document, body);
        case Kind::udp_route: return read_spec<UdpRoute>(at, document, body);
        case Kind::reference_grant: return read_spec<ReferenceGrant>(at, document, body);
        case Kind::backend_tls_policy: return read_spec<BackendTlsPolicy>(at, document, body);
        case Kind::service: return read_spec<Service>(at, document, body);
        case Kind::endpoint_slice: return read_endpoint_slice(at, document, meta, body);
        case Kind::secret: return read_secret(at, document, body);
        case Kind::config_map: return read_config_map(at, document, body);
        case Kind::namespace_: body = Namespace{}; return;
    }
}

// An absent list of rules is one rule without matches, as the CRD's default has it.
void fill_defaults(Body& body) {
    if (auto* http = std::get_if<HttpRoute>(&body); http != nullptr && http->rules.empty()) {
        http->rules.emplace_back();
    }
    auto fill_parents = [](RouteParents& route) {
        for (ParentRef& ref : route.parent_refs) {
            ref.group = ref.group.value_or(kGatewayGroup);
            ref.kind = ref.kind.value_or("Gateway");
        }
    };
    std::visit(
        [&](auto& spec) {
            if constexpr (std::is_base_of_v<RouteParents, std::decay_t<decltype(spec)>>) {
                fill_parents(spec);
            }
        },
        body);
}

// ---- what is shown ---------------------------------------------------------------------------------------------------------------
Value redacted(const Value& secret) {
    Value shown = secret;
    for (const char* member : {"data", "stringData"}) {
        const Value* data = secret.find(member);
        if (data == nullptr) {
            continue;
        }
        Value::Members members;
        for (const Value::Member& entry : data->members()) {
            members.push_back({entry.name, Value::string(kRedacted, entry.value.line())});
        }
        shown = shown.with(member, Value::object(std::move(members), data->line()));
    }
    // kubectl keeps the whole object, its data included, in this annotation.
    if (const Value* annotations = secret.find_path({"metadata", "annotations"})) {
        const Value* metadata = secret.find("metadata");
        shown = shown.with("metadata", metadata->with("annotations", annotations->without("kubectl.kubernetes.io/last-applied-configuration")));
    }
    return shown;
}

Written written_of(const Value& value) {
    const Value* metadata = value.find("metadata");
    return {metadata != nullptr ? to_json_text(*metadata, -1) : std::string(), to_json_text(value.without("metadata").without("status"), -1)};
}

}  // namespace

std::optional<Kind> kind_of(std::string_view api_version, std::string_view kind) {
    const std::string_view group = group_of(api_version);
    const std::string_view plain = group == kExperimentalGroup && kind.starts_with("X") ? kind.substr(1) : kind;
    const auto word = kind_of_word(plain);
    return word && info(*word).name == plain && (info(*word).group == group || group == kExperimentalGroup) ? word : std::nullopt;
}

Value value_of(const Written& written) {
    const auto rest = parse_json(written.rest);
    const auto metadata = parse_json(written.metadata);
    Value::Members first;
    Value::Members last;
    if (rest.ok()) {
        for (const Value::Member& member : rest->members()) {
            (member.name == "apiVersion" || member.name == "kind" ? first : last).push_back(member);
        }
    }
    if (metadata.ok()) {
        first.push_back({"metadata", *metadata});
    }
    first.insert(first.end(), last.begin(), last.end());
    return Value::object(std::move(first));
}

ObjectPtr decode_object(const Value& value, const std::string& file_name, std::vector<Diagnostic>& diagnostics) {
    Context context(file_name, diagnostics);
    const At root{&context, nullptr, {}, 0, value.line()};
    if (!expect(root, value, Value::Type::object)) {
        return nullptr;
    }
    const std::string api_version = text_of(value.find("apiVersion"));
    const std::string kind_text_of = text_of(value.find("kind"));
    if (api_version.empty() || kind_text_of.empty()) {
        root.member(kind_text_of.empty() ? "kind" : "apiVersion", value.line()).error("is missing");
        return nullptr;
    }
    const Value* metadata = value.find("metadata");
    context.set_object(kind_text_of, metadata != nullptr ? text_of(metadata->find("namespace")) : "", metadata != nullptr ? text_of(metadata->find("name")) : "");
    const auto found = kind_of(api_version, kind_text_of);
    const KindInfo* kind = found ? &info(*found) : nullptr;
    if (kind == nullptr || !is_known_version(api_version)) {
        root.warning(kind == nullptr ? "the kind " + quoted(kind_text_of) + " of " + quoted(api_version) + " is not one that we read: skipped"
                                     : "the version " + quoted(api_version) + " of " + std::string(kind->name) + " is not one that we read: skipped");
        return nullptr;
    }
    auto object = std::make_shared<Object>();
    object->key = read_key(root, value, *kind);
    context.set_object(std::string(kind->name), object->key.ns, object->key.name);
    context.api_version = api_version;
    if (metadata != nullptr && metadata->type() == Value::Type::object) {
        read_metadata(root.member("metadata", metadata->line()), *metadata, object->meta);
    }
    read_body(root, value, object->meta, kind->kind, object->body);
    if (context.errors() != 0) {
        return nullptr;
    }
    fill_defaults(object->body);
    object->raw = written_of(kind->kind == Kind::secret ? redacted(value) : value);
    object->origin = {file_name, value.line()};
    return object;
}

ParseResult parse_manifests(std::string_view text, const std::string& file_name, const TextLimits& limits) {
    ParseResult result;
    std::set<ObjectKey> seen;
    auto take = [&](const Value& value) {
        ObjectPtr object = decode_object(value, file_name, result.diagnostics);
        if (object == nullptr) {
            return;
        }
        if (!seen.insert(object->key).second) {
            result.diagnostics.push_back({Severity::error, file_name, value.line(), std::string(kind_name(object->key.kind)), object->key.ns, object->key.name, "",
                                          object->key.text() + " stands twice in this file: the second one is left out"});
            return;
        }
        result.objects.push_back(std::move(object));
    };
    for (const Document& document : parse_documents(text, limits)) {
        for (const TextFault& fault : document.faults) {
            result.diagnostics.push_back({Severity::error, file_name, fault.line, "", "", "", "", fault.message});
        }
        if (!document.faults.empty()) {
            continue;
        }
        const bool is_list = text_of(document.value.find("kind")).ends_with("List") && document.value.find("items") != nullptr;
        if (!is_list) {
            take(document.value);
            continue;
        }
        for (const Value& item : document.value.find("items")->items()) {
            take(item);
        }
    }
    return result;
}

}  // namespace penstock::model
