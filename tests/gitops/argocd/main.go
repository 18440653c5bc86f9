// Argo CD's own judgement: health as its settings and its Lua engine tell it, apply, and its three comparisons.
//
// One JSON request a line on standard input, one JSON answer a line on standard output. Its settings are the ConfigMap
// argocd-cm of the namespace given, read as the application controller reads it.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	enginediff "github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/argoproj/argo-cd/v3/common"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo/diff"
	"github.com/argoproj/argo-cd/v3/util/argo/normalizers"
	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/argoproj/argo-cd/v3/util/settings"
	"github.com/go-logr/logr"
	"github.com/sirupsen/logrus"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"
)

type request struct {
	Do         string          `json:"do"`
	Object     json.RawMessage `json:"object"`
	Live       json.RawMessage `json:"live"`
	ServerSide bool            `json:"serverSide"`
}

type answer struct {
	Error   string                `json:"error,omitempty"`
	Status  string                `json:"status,omitempty"`
	Message string                `json:"message,omitempty"`
	Differs map[string]difference `json:"differs,omitempty"`
}

// difference is what one way of comparing finds.
type difference struct {
	Live   json.RawMessage `json:"live"`
	Wanted json.RawMessage `json:"wanted"`
}

// argo is the part of an application controller that judges and writes.
type argo struct {
	overrides map[string]v1alpha1.ResourceOverride
	writer    kube.ResourceOperations
	dryRun    enginediff.KubeApplier
	kubectl   *kube.KubectlCmd
	config    *rest.Config
	schema    *managedfields.GvkParser
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "argocd KUBECONFIG NAMESPACE")
		os.Exit(2)
	}
	logrus.SetOutput(io.Discard)
	controller, end, err := start(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer end()
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		found := answer{}
		if err == nil {
			found, err = controller.reply(line)
		}
		if err != nil {
			found.Error = err.Error()
		}
		if err := out.Encode(found); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func start(kubeconfig, namespace string) (*argo, func(), error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, nil, err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, nil, err
	}
	overrides, err := settings.NewSettingsManager(context.Background(), clients, namespace).GetResourceOverrides()
	if err != nil {
		return nil, nil, err
	}
	kubectl := &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}
	writer, endWriter, err := kubectl.ManageResources(config)
	if err != nil {
		return nil, nil, err
	}
	dryRun, endDryRun, err := kubectl.ManageServerSideDiffDryRuns(config)
	if err != nil {
		return nil, nil, err
	}
	found := &argo{overrides: overrides, writer: writer, dryRun: dryRun, kubectl: kubectl, config: config}
	return found, func() { endWriter(); endDryRun() }, nil
}

func (a *argo) reply(line []byte) (answer, error) {
	asked := request{}
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{}, err
	}
	if asked.Do == "decode" {
		strict := json.NewDecoder(bytes.NewReader(asked.Object))
		strict.DisallowUnknownFields()
		return answer{}, strict.Decode(&v1alpha1.Application{})
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(asked.Object); err != nil {
		return answer{}, err
	}
	switch asked.Do {
	case "health":
		found, err := health.GetResourceHealth(object, lua.ResourceHealthOverrides(a.overrides))
		if err != nil || found == nil {
			return answer{}, err
		}
		return answer{Status: string(found.Status), Message: found.Message}, nil
	case "apply":
		_, err := a.writer.ApplyResource(context.Background(), object, cmdutil.DryRunNone, false, true, asked.ServerSide, common.ArgoCDSSAManager)
		return answer{}, err
	case "compare":
		live := &unstructured.Unstructured{}
		if err := live.UnmarshalJSON(asked.Live); err != nil {
			return answer{}, err
		}
		return a.compare(object, live)
	}
	return answer{}, fmt.Errorf("%q is nothing to do", asked.Do)
}

// compare tells what each way of comparing that an Application may ask for finds, with no ignoreDifferences.
func (a *argo) compare(wanted, live *unstructured.Unstructured) (answer, error) {
	if a.schema == nil {
		_, schema, err := a.kubectl.LoadOpenAPISchema(a.config)
		if err != nil {
			return answer{}, err
		}
		a.schema = schema
	}
	found := map[string]difference{}
	for _, way := range []string{"client", "structured", "server"} {
		config, err := diff.NewDiffConfigBuilder().
			WithDiffSettings(nil, a.overrides, false, normalizers.IgnoreNormalizerOpts{}).
			WithTracking(common.LabelKeyAppInstance, string(v1alpha1.TrackingMethodAnnotation)).
			WithNoCache().
			WithGVKParser(a.schema).
			WithManager(common.ArgoCDSSAManager).
			WithStructuredMergeDiff(way == "structured").
			WithServerSideDiff(way == "server").
			WithServerSideDryRunner(enginediff.NewK8sServerSideDryRunner(a.dryRun)).
			Build()
		if err != nil {
			return answer{}, err
		}
		result, err := diff.StateDiff(live.DeepCopy(), wanted.DeepCopy(), config)
		if err != nil {
			return answer{}, fmt.Errorf("%s: %w", way, err)
		}
		if result.Modified {
			found[way] = difference{result.NormalizedLive, result.PredictedLive}
		}
	}
	return answer{Differs: found}, nil
}
