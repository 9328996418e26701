// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/tls_parts.hpp"

#include "schema/part_name.hpp"
#include "schema/views.hpp"
#include "userspace/proxy/part_bytes.hpp"

namespace penstock::proxy {

namespace {

std::vector<std::string> list_of(const flatbuffers::Vector<flatbuffers::Offset<flatbuffers::String>>* list) {
    std::vector<std::string> result;
    for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        result.push_back(list->Get(static_cast<flatbuffers::uoffset_t>(i))->str());
    }
    return result;
}

std::string joined(const std::vector<std::string>& list) {
    std::string all;
    for (const std::string& one : list) {
        all += one + ",";
    }
    return all;
}

void add_names(std::vector<std::string>& to, std::string_view colons) {
    while (!colons.empty()) {
        const std::size_t colon = std::min(colons.find(':'), colons.size());
        if (colon != 0) {
            to.emplace_back(colons.substr(0, colon));
        }
        colons.remove_prefix(std::min(colons.size(), colon + 1));
    }
}

tls::SuiteOptions suites_of(const fb::TlsOptions& options) {
    tls::SuiteOptions suites;
    suites.version_min = options.version_min();
    suites.version_max = options.version_max();
    add_names(suites.ciphers, fb::string_of(options.ciphers()));
    add_names(suites.ciphers, fb::string_of(options.ciphersuites()));
    suites.groups = list_of(options.groups());
    return suites;
}

tls::ClientPolicy policy_of(fb::ClientCertificates wanted) {
    switch (wanted) {
        case fb::ClientCertificates::None: break;
        case fb::ClientCertificates::AllowValidOnly: return tls::ClientPolicy::valid_only;
        case fb::ClientCertificates::InsecureFallback: return tls::ClientPolicy::insecure_fallback;
    }
    return tls::ClientPolicy::none;
}

std::string_view view_of(std::span<const std::uint8_t> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// The first certificate of a set, for us to show to backends. Views into the parts' bytes.
struct OwnCertificate {
    std::string_view chain, key;
};
Result<OwnCertificate> own_certificate(std::string_view key, const PartSource& parts) {
    PST_TRY_ASSIGN(const auto bytes, parts.bytes(fb::PartKind::Certificates, key));
    PST_TRY_ASSIGN(const fb::CertificateSet* set, verified<fb::CertificateSet>(bytes));
    if (set->certificates()->size() == 0) {
        return invalid_part("the client certificate's part is empty");
    }
    const fb::Certificate* first = set->certificates()->Get(0);
    PST_TRY_ASSIGN(const auto pem, parts.storage().key(first->key_id()->str()));
    return OwnCertificate{first->chain_pem()->string_view(), view_of(pem)};
}

}  // namespace

std::string PartSource::digest(fb::PartKind kind, std::string_view key) const {
    const Made* part = tables_.made.get(fb::part_path(kind, key));
    return part == nullptr ? std::string() : fb::hex(part->digest);
}

Result<std::span<const std::uint8_t>> PartSource::bytes(fb::PartKind kind, std::string_view key) const {
    return reader_.part(tables_.lists, fb::part_path(kind, key));
}

std::string certificates_surroundings(const fb::Listener& listener, const PartSource& parts) {
    std::string all = "alpn " + joined(list_of(listener.alpn()));
    if (const fb::TlsOptions* tls = listener.tls()) {
        all += " versions " + std::to_string(tls->version_min()) + "-" + std::to_string(tls->version_max()) + " ciphers " + fb::string_of(tls->ciphers()) + " " +
               fb::string_of(tls->ciphersuites()) + " groups " + joined(list_of(tls->groups())) + " tickets " + std::to_string(tls->tickets()) + " clients " +
               std::to_string(static_cast<int>(tls->client_certificates())) + " " + parts.digest(fb::PartKind::Trust, fb::string_of(tls->client_trust()));
    }
    return all;
}

Result<std::shared_ptr<const tls::CertificateSet>> make_certificates(const fb::CertificateSet& part, const fb::Listener& listener, const PartSource& parts,
                                                                     std::shared_ptr<const tls::TicketKeys> tickets) {
    std::vector<tls::CertificateInput> inputs;
    for (const fb::Certificate* certificate : *part.certificates()) {
        PST_TRY_ASSIGN(const auto key, parts.storage().key(certificate->key_id()->str()));
        tls::CertificateInput input;
        input.chain_pem = certificate->chain_pem()->string_view();
        input.key_pem = view_of(key);
        input.object = fb::name_of(*certificate->object());
        for (const auto* name : *certificate->names()) {
            input.names.push_back(name->str());
        }
        if (certificate->ocsp() != nullptr) {
            input.ocsp_der = {certificate->ocsp()->data(), certificate->ocsp()->size()};
        }
        inputs.push_back(std::move(input));
    }
    tls::CertificateOptions options;
    options.alpn = list_of(listener.alpn());
    options.object = "listener " + listener.name()->str();
    options.scope = listener.name()->str();
    options.tickets = std::move(tickets);
    if (const fb::TlsOptions* wanted = listener.tls()) {
        options.suites = suites_of(*wanted);
        options.clients = policy_of(wanted->client_certificates());
        options.ticket_seconds = wanted->tickets() ? options.ticket_seconds : 0;
        if (options.clients != tls::ClientPolicy::none) {
            PST_TRY_ASSIGN(const auto bytes, parts.bytes(fb::PartKind::Trust, fb::string_of(wanted->client_trust())));
            PST_TRY_ASSIGN(const fb::TrustBundle* trust, verified<fb::TrustBundle>(bytes));
            if (trust->pem() == nullptr) {
                return invalid_part("clients cannot be verified by the system's certificate authorities");
            }
            options.client_ca_pem = trust->pem()->string_view();
            return tls::CertificateSet::build(inputs, options);
        }
    }
    return tls::CertificateSet::build(inputs, options);
}

std::string backend_tls_surroundings(const fb::BackendTls& tls, const PartSource& parts) {
    return "trust " + parts.digest(fb::PartKind::Trust, tls.trust()->string_view()) + " own " + parts.digest(fb::PartKind::Certificates, fb::string_of(tls.client_certificate()));
}

Result<std::shared_ptr<const tls::BackendContext>> make_backend_tls(const fb::BackendTls& tls, bool http2, const std::string& object, const PartSource& parts) {
    PST_TRY_ASSIGN(const auto bytes, parts.bytes(fb::PartKind::Trust, tls.trust()->string_view()));
    PST_TRY_ASSIGN(const fb::TrustBundle* trust, verified<fb::TrustBundle>(bytes));
    tls::BackendOptions options;
    options.server_name = tls.server_name()->str();
    options.object = object;
    options.alpn = {http2 ? "h2" : "http/1.1"};
    if (!trust->system()) {
        if (trust->pem() == nullptr || trust->pem()->size() == 0) {
            return invalid_part("there is no certificate authority to verify the backend by");
        }
        options.ca_pem = trust->pem()->string_view();
    }
    // GEP-1897: with subject alternative names the hostname is only what is asked for.
    if (tls.sans() == nullptr || tls.sans()->size() == 0) {
        options.dns_names = {options.server_name};
    } else {
        for (const fb::San* san : *tls.sans()) {
            (san->kind() == fb::SanKind::Uri ? options.uris : options.dns_names).push_back(san->value()->str());
        }
    }
    if (tls.client_certificate() != nullptr && tls.client_certificate()->size() != 0) {
        PST_TRY_ASSIGN(const OwnCertificate own, own_certificate(tls.client_certificate()->string_view(), parts));
        options.chain_pem = own.chain;
        options.key_pem = own.key;
    }
    return tls::BackendContext::build(options);
}

Result<std::vector<tls::TicketKey>> ticket_keys(const fb::Root& root, const Storage& storage) {
    std::vector<tls::TicketKey> keys;
    for (std::size_t i = 0; root.ticket_keys() != nullptr && i < root.ticket_keys()->size(); ++i) {
        PST_TRY_ASSIGN(const auto bytes, storage.key(root.ticket_keys()->Get(static_cast<flatbuffers::uoffset_t>(i))->str()));
        const auto key = tls::TicketKey::parse(bytes);
        if (!key) {
            return invalid_part("a ticket key has not 80 bytes");
        }
        keys.push_back(*key);
    }
    return keys;
}

}  // namespace penstock::proxy
