// Reads manifests as an API server of Kubernetes does: decodes them strictly by its own types, sets its defaults and runs its own
// validation. It prints one JSON object for each manifest, and exits with 1 if one of them would be refused.
//
//	validator [--static] <FILE     --static: as the kubelet reads a static pod
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	podutil "k8s.io/kubernetes/pkg/api/pod"
	"k8s.io/kubernetes/pkg/apis/apps"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	appsvalidation "k8s.io/kubernetes/pkg/apis/apps/validation"
	"k8s.io/kubernetes/pkg/apis/core"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	corev1conversion "k8s.io/kubernetes/pkg/apis/core/v1"
	corevalidation "k8s.io/kubernetes/pkg/apis/core/validation"
	"k8s.io/kubernetes/pkg/apis/networking"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	networkingvalidation "k8s.io/kubernetes/pkg/apis/networking/validation"
	"k8s.io/kubernetes/pkg/apis/policy"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	policyvalidation "k8s.io/kubernetes/pkg/apis/policy/validation"
	psa "k8s.io/pod-security-admission/api"
	psapolicy "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

type verdict struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	// The strictest level of pod security admission that lets its pods in; empty: it has none.
	Level  string   `json:"level,omitempty"`
	Errors []string `json:"errors"`
}

var codecs = serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)

func main() {
	static := len(os.Args) == 2 && os.Args[1] == "--static"
	if len(os.Args) > 1 && !static {
		fmt.Fprintln(os.Stderr, "usage: validator [--static] <FILE")
		os.Exit(2)
	}
	install()
	reader := utilyaml.NewYAMLReader(bufio.NewReader(os.Stdin))
	refused := false
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		made := judge(document, static)
		if made == nil {
			continue
		}
		refused = refused || len(made.Errors) > 0
		_ = json.NewEncoder(os.Stdout).Encode(made)
	}
	if refused {
		os.Exit(1)
	}
}

func install() {
	if err := monitoring.AddToScheme(legacyscheme.Scheme); err != nil {
		panic(err)
	}
}

// judge returns nil for a document that has nothing but comments.
func judge(document []byte, static bool) *verdict {
	var head struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return &verdict{Errors: []string{err.Error()}}
	}
	if string(text) == "null" {
		return nil
	}
	_ = json.Unmarshal(text, &head)
	made := &verdict{Kind: head.Kind, Name: head.Metadata.Name, Errors: []string{}}
	object, err := decode(head.Kind, text)
	if err != nil {
		made.Errors = append(made.Errors, err.Error())
		return made
	}
	if accessor, err := meta.Accessor(object); err == nil && accessor.GetNamespace() == "" {
		accessor.SetNamespace("default")
	}
	template, found := validate(object)
	for _, one := range found {
		made.Errors = append(made.Errors, one.Error())
	}
	if template != nil {
		made.Level = string(levelOf(template))
	}
	if static {
		made.Errors = append(made.Errors, staticErrors(object)...)
	}
	return made
}

func decode(kind string, text []byte) (runtime.Object, error) {
	// A custom resource has no internal version to be converted to.
	if kind == "ServiceMonitor" {
		object, _, err := codecs.UniversalDeserializer().Decode(text, nil, nil)
		return object, err
	}
	return runtime.Decode(codecs.UniversalDecoder(), text)
}

func validate(object runtime.Object) (*core.PodTemplateSpec, field.ErrorList) {
	switch made := object.(type) {
	case *apps.Deployment:
		return &made.Spec.Template, appsvalidation.ValidateDeployment(made, podutil.GetValidationOptionsFromPodTemplate(&made.Spec.Template, nil))
	case *apps.DaemonSet:
		return &made.Spec.Template, appsvalidation.ValidateDaemonSet(made, podutil.GetValidationOptionsFromPodTemplate(&made.Spec.Template, nil))
	case *core.Pod:
		template := &core.PodTemplateSpec{ObjectMeta: made.ObjectMeta, Spec: made.Spec}
		return template, corevalidation.ValidatePodCreate(made, podutil.GetValidationOptionsFromPodSpecAndMeta(&made.Spec, nil, &made.ObjectMeta, nil))
	case *core.Service:
		allocate(made)
		return nil, corevalidation.ValidateServiceCreate(made)
	case *core.ServiceAccount:
		return nil, corevalidation.ValidateServiceAccount(made)
	case *core.ConfigMap:
		return nil, corevalidation.ValidateConfigMap(made)
	case *policy.PodDisruptionBudget:
		return nil, policyvalidation.ValidatePodDisruptionBudget(made, policyvalidation.PodDisruptionBudgetValidationOptions{})
	case *networking.NetworkPolicy:
		return nil, networkingvalidation.ValidateNetworkPolicy(made, networkingvalidation.NetworkPolicyValidationOptions{})
	case *monitoring.ServiceMonitor:
		return nil, nil
	default:
		return nil, field.ErrorList{field.NotSupported(field.NewPath("kind"), fmt.Sprintf("%T", object), []string{"a kind that this program validates"})}
	}
}

// allocate gives a Service what an API server gives it before it validates.
func allocate(service *core.Service) {
	if service.Spec.ClusterIP == core.ClusterIPNone {
		service.Spec.ClusterIPs = []string{core.ClusterIPNone}
	}
	if service.Spec.Type == core.ServiceTypeLoadBalancer && service.Spec.ExternalTrafficPolicy == core.ServiceExternalTrafficPolicyLocal {
		service.Spec.HealthCheckNodePort = 32_000
	}
}

func levelOf(template *core.PodTemplateSpec) psa.Level {
	var made corev1.PodTemplateSpec
	if err := corev1conversion.Convert_core_PodTemplateSpec_To_v1_PodTemplateSpec(template, &made, nil); err != nil {
		panic(err)
	}
	evaluator, err := psapolicy.NewEvaluator(psapolicy.DefaultChecks(), nil)
	if err != nil {
		panic(err)
	}
	for _, level := range []psa.Level{psa.LevelRestricted, psa.LevelBaseline} {
		results := evaluator.EvaluatePod(psa.LevelVersion{Level: level, Version: psa.LatestVersion()}, &made.ObjectMeta, &made.Spec)
		if psapolicy.AggregateCheckResults(results).Allowed {
			return level
		}
	}
	return psa.LevelPrivileged
}

// staticErrors are those of a static pod, which may not name anything that only an API server has.
func staticErrors(object runtime.Object) []string {
	pod, isPod := object.(*core.Pod)
	if !isPod {
		return []string{"a static pod is a Pod"}
	}
	_, resource, err := podutil.HasAPIObjectReference(pod)
	if err != nil {
		return []string{err.Error()}
	}
	if resource != "" {
		return []string{"static pods may not reference " + resource}
	}
	return nil
}
