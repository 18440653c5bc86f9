// Command peer is an operator on controller-runtime that makes the same objects as ours: what ours is measured against.
package main

import (
	"flag"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	k8slabels "k8s.io/apimachinery/pkg/labels"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metrics "sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// revision stands for these sources; the linker sets it.
var revision = "unknown"

func main() {
	program := flag.String("program", "", "file that becomes gunicorn.conf.py in every ConfigMap")
	workers := flag.Int("workers", 16, "services reconciled at once")
	namespace := flag.String("lease-namespace", "", "namespace of the Lease; empty: no election")
	flag.Parse()
	ctrl.SetLogger(zap.New())
	ctrl.Log.Info("starting", "revision", revision)
	if err := run(*program, *workers, *namespace); err != nil {
		ctrl.Log.Error(err, "ended")
		os.Exit(1)
	}
}

func run(program string, workers int, namespace string) error {
	text, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	config.UserAgent = "wakala-peer"
	config.QPS, config.Burst = -1, 0 // the API server's own fairness is the limit
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Metrics:                       metrics.Options{BindAddress: "0"},
		HealthProbeBindAddress:        "0",
		LeaderElection:                namespace != "",
		LeaderElectionID:              "wakala-peer",
		LeaderElectionNamespace:       namespace,
		LeaderElectionReleaseOnCancel: true,
		Cache:                         ownOnly(),
	})
	if err != nil {
		return err
	}
	if err := clientgoscheme.AddToScheme(manager.GetScheme()); err != nil {
		return err
	}
	if err := schemeBuilder.AddToScheme(manager.GetScheme()); err != nil {
		return err
	}
	r := &reconciler{manager.GetClient(), manager.GetEventRecorder("wakala-peer"), string(text)}
	built := ctrl.NewControllerManagedBy(manager).
		For(&WakalaService{}).
		WithOptions(controller.Options{MaxConcurrentReconciles: workers})
	for _, kind := range kinds() {
		built = built.Owns(kind)
	}
	if err := built.Complete(r); err != nil {
		return err
	}
	return manager.Start(ctrl.SetupSignalHandler())
}

func kinds() []client.Object {
	return []client.Object{
		&corev1.ServiceAccount{}, &corev1.ConfigMap{}, &networkingv1.NetworkPolicy{}, &corev1.Service{},
		&appsv1.Deployment{}, &policyv1.PodDisruptionBudget{},
	}
}

// ownOnly keeps in memory what carries our label, and nobody's managedFields.
func ownOnly() cache.Options {
	ours := k8slabels.SelectorFromSet(k8slabels.Set{labelManagedBy: managedBy})
	options := cache.Options{DefaultTransform: cache.TransformStripManagedFields(), ByObject: map[client.Object]cache.ByObject{}}
	for _, kind := range kinds() {
		options.ByObject[kind] = cache.ByObject{Label: ours}
	}
	return options
}
