// SPDX-License-Identifier: Apache-2.0
// What compile has to say about the user's objects: typed conditions. A reason belongs to one condition type and one status, so
// neither can be swapped by mistake; names are those of the Gateway API and stand in this one list.
// Not here: lastTransitionTime and writing (ctl/status). Kinds and names of objects are ctl/model's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace penstock::compile {

// X(Enum, type name). Each enum's reasons are PST_REASONS_<Enum> below.
#define PST_CONDITION_TYPES(X)                                    \
    X(ClassAccepted, "Accepted")                                  \
    X(GatewayAccepted, "Accepted")                                \
    X(GatewayProgrammed, "Programmed")                            \
    X(GatewayResolvedRefs, "ResolvedRefs")                        \
    X(GatewayInsecureFrontend, "InsecureFrontendValidationMode")  \
    X(GatewayDefault, "DefaultGateway")                           \
    X(ListenerAccepted, "Accepted")                               \
    X(ListenerProgrammed, "Programmed")                           \
    X(ListenerResolvedRefs, "ResolvedRefs")                       \
    X(ListenerConflicted, "Conflicted")                           \
    X(ListenerOverlappingTls, "OverlappingTLSConfig")             \
    X(ListenerSetAccepted, "Accepted")                            \
    X(ListenerSetProgrammed, "Programmed")                        \
    X(RouteAccepted, "Accepted")                                  \
    X(RouteResolvedRefs, "ResolvedRefs")                          \
    X(RoutePartiallyInvalid, "PartiallyInvalid")                  \
    X(PolicyAccepted, "Accepted")                                 \
    X(PolicyResolvedRefs, "ResolvedRefs")                         \
    X(InvalidAnnotation, "penstock.dev/InvalidAnnotation")

// X(Enum, reason, reason name, status that it implies). Append within a type; every one is produced by some golden test.
#define PST_CONDITION_REASONS(X)                                                                  \
    X(ClassAccepted, accepted, "Accepted", true)                                                  \
    X(ClassAccepted, invalid_parameters, "InvalidParameters", false)                              \
    X(GatewayAccepted, accepted, "Accepted", true)                                                \
    X(GatewayAccepted, listeners_partly_valid, "ListenersNotValid", true)                         \
    X(GatewayAccepted, listeners_not_valid, "ListenersNotValid", false)                           \
    X(GatewayAccepted, invalid_parameters, "InvalidParameters", false)                            \
    X(GatewayAccepted, unsupported_address, "UnsupportedAddress", false)                          \
    X(GatewayProgrammed, programmed, "Programmed", true)                                          \
    X(GatewayProgrammed, invalid, "Invalid", false)                                               \
    X(GatewayProgrammed, no_resources, "NoResources", false)                                      \
    X(GatewayProgrammed, address_not_assigned, "AddressNotAssigned", false)                       \
    X(GatewayProgrammed, address_not_usable, "AddressNotUsable", false)                           \
    X(GatewayResolvedRefs, resolved_refs, "ResolvedRefs", true)                                   \
    X(GatewayResolvedRefs, listeners_not_resolved, "ListenersNotResolved", false)                 \
    X(GatewayResolvedRefs, invalid_client_certificate_ref, "InvalidClientCertificateRef", false)  \
    X(GatewayResolvedRefs, ref_not_permitted, "RefNotPermitted", false)                           \
    X(GatewayInsecureFrontend, configuration_changed, "ConfigurationChanged", true)               \
    X(GatewayDefault, default_gateway, "DefaultGateway", true)                                    \
    X(ListenerAccepted, accepted, "Accepted", true)                                               \
    X(ListenerAccepted, port_unavailable, "PortUnavailable", false)                               \
    X(ListenerAccepted, unsupported_protocol, "UnsupportedProtocol", false)                       \
    X(ListenerAccepted, unsupported_value, "UnsupportedValue", false)                             \
    X(ListenerAccepted, hostname_conflict, "HostnameConflict", false)                             \
    X(ListenerAccepted, protocol_conflict, "ProtocolConflict", false)                             \
    X(ListenerAccepted, no_valid_ca_certificate, "NoValidCACertificate", false)                   \
    X(ListenerProgrammed, programmed, "Programmed", true)                                         \
    X(ListenerProgrammed, invalid, "Invalid", false)                                              \
    X(ListenerProgrammed, hostname_conflict, "HostnameConflict", false)                           \
    X(ListenerProgrammed, protocol_conflict, "ProtocolConflict", false)                           \
    X(ListenerResolvedRefs, resolved_refs, "ResolvedRefs", true)                                  \
    X(ListenerResolvedRefs, invalid_certificate_ref, "InvalidCertificateRef", false)              \
    X(ListenerResolvedRefs, invalid_route_kinds, "InvalidRouteKinds", false)                      \
    X(ListenerResolvedRefs, ref_not_permitted, "RefNotPermitted", false)                          \
    X(ListenerResolvedRefs, invalid_ca_certificate_ref, "InvalidCACertificateRef", false)         \
    X(ListenerResolvedRefs, invalid_ca_certificate_kind, "InvalidCACertificateKind", false)       \
    X(ListenerConflicted, hostname_conflict, "HostnameConflict", true)                            \
    X(ListenerConflicted, protocol_conflict, "ProtocolConflict", true)                            \
    X(ListenerOverlappingTls, overlapping_hostnames, "OverlappingHostnames", true)                \
    X(ListenerOverlappingTls, overlapping_certificates, "OverlappingCertificates", true)          \
    X(ListenerSetAccepted, accepted, "Accepted", true)                                            \
    X(ListenerSetAccepted, listeners_partly_valid, "ListenersNotValid", true)                     \
    X(ListenerSetAccepted, listeners_not_valid, "ListenersNotValid", false)                       \
    X(ListenerSetAccepted, not_allowed, "NotAllowed", false)                                      \
    X(ListenerSetAccepted, parent_not_accepted, "ParentNotAccepted", false)                       \
    X(ListenerSetProgrammed, programmed, "Programmed", true)                                      \
    X(ListenerSetProgrammed, listeners_not_valid, "ListenersNotValid", false)                     \
    X(ListenerSetProgrammed, not_allowed, "NotAllowed", false)                                    \
    X(ListenerSetProgrammed, parent_not_programmed, "ParentNotProgrammed", false)                 \
    X(RouteAccepted, accepted, "Accepted", true)                                                  \
    X(RouteAccepted, not_allowed_by_listeners, "NotAllowedByListeners", false)                    \
    X(RouteAccepted, no_matching_listener_hostname, "NoMatchingListenerHostname", false)          \
    X(RouteAccepted, no_matching_parent, "NoMatchingParent", false)                               \
    X(RouteAccepted, unsupported_value, "UnsupportedValue", false)                                \
    X(RouteResolvedRefs, resolved_refs, "ResolvedRefs", true)                                     \
    X(RouteResolvedRefs, invalid_kind, "InvalidKind", false)                                      \
    X(RouteResolvedRefs, backend_not_found, "BackendNotFound", false)                             \
    X(RouteResolvedRefs, ref_not_permitted, "RefNotPermitted", false)                             \
    X(RouteResolvedRefs, unsupported_protocol, "UnsupportedProtocol", false)                      \
    X(RoutePartiallyInvalid, unsupported_value, "UnsupportedValue", true)                         \
    X(PolicyAccepted, accepted, "Accepted", true)                                                 \
    X(PolicyAccepted, conflicted, "Conflicted", false)                                            \
    X(PolicyAccepted, invalid, "Invalid", false)                                                  \
    X(PolicyAccepted, target_not_found, "TargetNotFound", false)                                  \
    X(PolicyAccepted, no_valid_ca_certificate, "NoValidCACertificate", false)                     \
    X(PolicyResolvedRefs, resolved_refs, "ResolvedRefs", true)                                    \
    X(PolicyResolvedRefs, invalid_ca_certificate_ref, "InvalidCACertificateRef", false)           \
    X(PolicyResolvedRefs, invalid_kind, "InvalidKind", false)                                     \
    X(InvalidAnnotation, invalid_value, "InvalidValue", true)                                     \
    X(InvalidAnnotation, unknown_name, "UnknownName", true)

enum class ConditionType : std::uint8_t {
#define PST_X(type, name) type,
    PST_CONDITION_TYPES(PST_X)
#undef PST_X
};

// Every (type, reason) as one enumerator, RouteAccepted_not_allowed_by_listeners: it fixes type, name and status together.
// Its number is the index of its row in kConditionRows.
enum class ConditionReason : std::uint8_t {
#define PST_X(type, reason, name, holds) type##_##reason,
    PST_CONDITION_REASONS(PST_X)
#undef PST_X
};

struct ConditionRow {
    ConditionType type;
    std::string_view reason;  // as the Gateway API spells it
    bool holds;               // status: "True" or "False"
};

inline constexpr std::array kConditionTypeNames = {
#define PST_X(type, name) std::string_view(name),
    PST_CONDITION_TYPES(PST_X)
#undef PST_X
};

inline constexpr std::array kConditionRows = {
#define PST_X(type, reason, name, holds) ConditionRow{ConditionType::type, name, holds},
    PST_CONDITION_REASONS(PST_X)
#undef PST_X
};

// Whether a condition of this type says by True that something is wrong.
constexpr bool is_bad_news(std::string_view type) {
    for (const std::string_view bad : {"Conflicted", "OverlappingTLSConfig", "PartiallyInvalid", "InsecureFrontendValidationMode", "penstock.dev/InvalidAnnotation"}) {
        if (type == bad) {
            return true;
        }
    }
    return false;
}

// One condition of one object. observedGeneration is the object's, see ObjectStatus. `message` is one sentence that names what is
// wrong and where (a path, another object); never a secret.
struct Condition {
    ConditionReason reason;
    std::string message;

    [[nodiscard]] const ConditionRow& row() const { return kConditionRows[static_cast<std::size_t>(reason)]; }
    [[nodiscard]] ConditionType type() const { return row().type; }
    [[nodiscard]] std::string_view type_name() const { return kConditionTypeNames[static_cast<std::size_t>(type())]; }
    [[nodiscard]] std::string_view reason_name() const { return row().reason; }
    [[nodiscard]] bool holds() const { return row().holds; }

    bool operator==(const Condition&) const = default;
};

// One more fault of the same thing: the first one's reason, and what all of them say, each once and no more than people read; an API server
// refuses a status with a message of more than 32,768 characters (metav1.Condition).
inline constexpr std::size_t kFaultsTextMax = 4096;
inline void add_fault(std::optional<Condition>& to, Condition fault) {
    static constexpr std::string_view kMore = "; and more";
    if (!to) {
        to = std::move(fault);
    } else if (to->message.ends_with(kMore) || ("; " + to->message + "; ").find("; " + fault.message + "; ") != std::string::npos) {
        return;
    } else if (to->message.size() + fault.message.size() > kFaultsTextMax) {
        to->message += kMore;
    } else {
        to->message += "; " + fault.message;
    }
}

}  // namespace penstock::compile
