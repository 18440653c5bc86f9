// Flux's own judgement: kstatus, health expressions, server-side apply and its comparison, the types of its objects.
//
// One JSON request a line on standard input, one JSON answer a line on standard output.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomization "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"github.com/fluxcd/pkg/ssa"
	source "github.com/fluxcd/source-controller/api/v1"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type request struct {
	Do          string                           `json:"do"`
	Object      json.RawMessage                  `json:"object"`
	Expressions kustomize.HealthCheckExpressions `json:"expressions"`
}

type answer struct {
	Error   string `json:"error,omitempty"`
	Status  string `json:"status,omitempty"`
	Message string `json:"message,omitempty"`
	Action  string `json:"action,omitempty"`
	Live    any    `json:"live,omitempty"`
	Wanted  any    `json:"wanted,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "flux KUBECONFIG")
		os.Exit(2)
	}
	ctrl.SetLogger(logr.Discard())
	manager, err := managerOf(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		found := answer{}
		if err == nil {
			found, err = reply(manager, line)
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

// managerOf is what kustomize-controller writes and compares with.
func managerOf(kubeconfig string) (*ssa.ResourceManager, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	reached, err := client.New(config, client.Options{})
	if err != nil {
		return nil, err
	}
	owner := ssa.Owner{Field: "kustomize-controller", Group: kustomization.GroupVersion.Group}
	return ssa.NewResourceManager(reached, nil, owner), nil
}

func reply(manager *ssa.ResourceManager, line []byte) (answer, error) {
	asked := request{}
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{}, err
	}
	if asked.Do == "decode" {
		return answer{}, decode(asked.Object)
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(asked.Object); err != nil {
		return answer{}, err
	}
	ctx := context.Background()
	switch asked.Do {
	case "status":
		return told(status.Compute(object))
	case "expressions":
		evaluator, err := cel.NewStatusEvaluator(&asked.Expressions)
		if err != nil {
			return answer{}, err
		}
		return told(evaluator.Evaluate(ctx, object))
	case "apply":
		change, err := manager.Apply(ctx, object, ssa.DefaultApplyOptions())
		if err != nil {
			return answer{}, err
		}
		return answer{Action: string(change.Action)}, nil
	case "compare":
		change, live, wanted, err := manager.Diff(ctx, object, ssa.DefaultDiffOptions())
		if err != nil {
			return answer{}, err
		}
		found := answer{Action: string(change.Action)}
		if live != nil && wanted != nil {
			found.Live, found.Wanted = live.Object, wanted.Object
		}
		return found, nil
	}
	return answer{}, fmt.Errorf("%q is nothing to do", asked.Do)
}

func told(result *status.Result, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return answer{Status: string(result.Status), Message: result.Message}, nil
}

// decode reads one of Flux's objects and refuses fields that it does not have.
func decode(raw []byte) error {
	kind := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}{}
	if err := json.Unmarshal(raw, &kind); err != nil {
		return err
	}
	known := map[string]any{
		helm.GroupVersion.String() + " HelmRelease":            &helm.HelmRelease{},
		kustomization.GroupVersion.String() + " Kustomization": &kustomization.Kustomization{},
		source.GroupVersion.String() + " GitRepository":        &source.GitRepository{},
	}
	target, found := known[kind.APIVersion+" "+kind.Kind]
	if !found {
		return fmt.Errorf("%s %s is no kind of Flux's", kind.APIVersion, kind.Kind)
	}
	strict := json.NewDecoder(bytes.NewReader(raw))
	strict.DisallowUnknownFields()
	return strict.Decode(target)
}
