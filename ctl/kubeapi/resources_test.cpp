// SPDX-License-Identifier: Apache-2.0
#include "ctl/kubeapi/resources.hpp"

#include "ctl/model/value_text.hpp"
#include "tools/test/catch.hpp"

using namespace penstock::kubeapi;
using penstock::model::Kind;
using penstock::model::parse_json;

TEST_CASE("resources: paths of collections, objects and statuses") {
    const Resources all = built_in_resources();
    CHECK(all.at(Kind::service).collection() == "/api/v1/services");
    CHECK(all.at(Kind::endpoint_slice).path("shop", "a", "status") == "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/a/status");
    CHECK(all.at(Kind::namespace_).path("ignored", "shop") == "/api/v1/namespaces/shop");
    CHECK(all.at(Kind::secret).path("../x", "a/b") == "/api/v1/namespaces/..%2Fx/secrets/a%2Fb");
    CHECK_FALSE(all.contains(Kind::http_route));
}

TEST_CASE("resources: a kind is read in its newest version, in the standard group if it is there") {
    const auto list = [](const std::string& version, const std::string& kind, const std::string& plural) {
        return parse_json(R"({"groupVersion":")" + version + R"(","resources":[{"name":")" + plural + R"(","kind":")" + kind + R"(","namespaced":true},{"name":")" + plural +
                          R"(/status","kind":")" + kind + R"(","namespaced":true},{"name":"others","kind":"Other"}]})")
            .value();
    };
    Resources found;
    add_resources(list("gateway.networking.k8s.io/v1alpha2", "TLSRoute", "tlsroutes"), found);
    add_resources(list("gateway.networking.k8s.io/v1", "TLSRoute", "tlsroutes"), found);
    add_resources(list("gateway.networking.k8s.io/v1alpha3", "TLSRoute", "tlsroutes"), found);
    CHECK(found.at(Kind::tls_route).api_version == "gateway.networking.k8s.io/v1");
    add_resources(list("gateway.networking.x-k8s.io/v1alpha1", "XListenerSet", "xlistenersets"), found);
    CHECK(found.at(Kind::listener_set).kind == "XListenerSet");
    CHECK(found.at(Kind::listener_set).collection() == "/apis/gateway.networking.x-k8s.io/v1alpha1/xlistenersets");
    add_resources(list("gateway.networking.k8s.io/v1", "ListenerSet", "listenersets"), found);
    CHECK(found.at(Kind::listener_set).kind == "ListenerSet");
    CHECK(found.size() == 2);
}

TEST_CASE("resources: versions that we do not read are not asked for") {
    const auto group = parse_json(R"({"name":"gateway.networking.k8s.io","versions":[{"version":"v2"},{"version":"v1"},{"version":"v1beta1"},{}]})").value();
    CHECK(version_paths(group) == std::vector<std::string>{"/apis/gateway.networking.k8s.io/v1", "/apis/gateway.networking.k8s.io/v1beta1"});
    CHECK(version_paths(parse_json("[]").value()).empty());
    Resources found;
    add_resources(parse_json(R"({"groupVersion":"example.com/v1","resources":[{"name":"gateways","kind":"Gateway"}]})").value(), found);
    CHECK(found.empty());
}

TEST_CASE("resources: an answer of discovery is what was asked for, or none") {
    const std::string group = "/apis/gateway.networking.k8s.io";
    CHECK(is_discovery_of(parse_json(R"({"kind":"APIGroup","name":"gateway.networking.k8s.io","versions":[]})").value(), group));
    CHECK(is_discovery_of(parse_json(R"({"kind":"APIResourceList","groupVersion":"gateway.networking.k8s.io/v1","resources":[]})").value(), group + "/v1"));
    for (const char* text : {"{}", "[]", "null", R"({"kind":"APIGroup","name":"gateway.networking.k8s.io","versions":null})", R"({"kind":"APIGroup","name":"apps","versions":[]})",
                             R"({"kind":"APIResourceList","groupVersion":"gateway.networking.k8s.io/v1beta1","resources":[]})",
                             R"({"kind":"APIResourceList","groupVersion":"gateway.networking.k8s.io/v1","resources":null})", R"({"kind":"Status","code":200})"}) {
        INFO(text);
        CHECK_FALSE(is_discovery_of(parse_json(text).value(), group));
        CHECK_FALSE(is_discovery_of(parse_json(text).value(), group + "/v1"));
    }
}
