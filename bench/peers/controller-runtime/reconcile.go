package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const mostDecisions = 10

type reconciler struct {
	client.Client
	recorder events.EventRecorder
	program  string // content of gunicorn.conf.py, the same in every ConfigMap
}

// Reconcile brings the children of one service to what its spec asks for and says in its status what is so.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	ws := &WakalaService{}
	if err := r.Get(ctx, request.NamespacedName, ws); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !ws.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, nil
	}
	var live []client.Object
	var failures []error
	done := map[controllerutil.OperationResult][]string{}
	for _, want := range r.objects(ws) {
		child, result, err := r.ensure(ctx, ws, want)
		if err != nil {
			failures = append(failures, err)
			continue
		}
		live = append(live, child)
		done[result] = append(done[result], r.kind(child)+" "+child.GetName())
	}
	failure := errors.Join(failures...)
	if err := r.report(ctx, ws, live, done, failure); err != nil {
		failure = errors.Join(failure, err)
	}
	if apierrors.IsConflict(failure) || apierrors.IsAlreadyExists(failure) {
		// The cache was behind; its next event or this retry finds the newer object.
		return ctrl.Result{RequeueAfter: 100 * time.Millisecond}, nil
	}
	return ctrl.Result{}, failure
}

// ensure makes or changes one child, and writes nothing where it is as wanted.
func (r *reconciler) ensure(ctx context.Context, ws *WakalaService, want client.Object) (client.Object, controllerutil.OperationResult, error) {
	asked := digest(want)
	live := want.DeepCopyObject().(client.Object)
	result, err := controllerutil.CreateOrUpdate(ctx, r.Client, live, func() error {
		if err := controllerutil.SetControllerReference(ws, live, r.Scheme()); err != nil {
			return err
		}
		if live.GetAnnotations()[annotationApplied] == asked &&
			equality.Semantic.DeepDerivative(want.GetLabels(), live.GetLabels()) &&
			equality.Semantic.DeepDerivative(content(want), content(live)) {
			return nil
		}
		overlay(want, live)
		annotations := maps.Clone(live.GetAnnotations())
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[annotationApplied] = asked
		live.SetAnnotations(annotations)
		return nil
	})
	return live, result, err
}

// content is the part of a child that is ours to say.
func content(obj client.Object) any {
	switch obj := obj.(type) {
	case *corev1.ServiceAccount:
		return obj.AutomountServiceAccountToken
	case *corev1.ConfigMap:
		return obj.Data
	case *networkingv1.NetworkPolicy:
		return obj.Spec
	case *corev1.Service:
		return obj.Spec
	case *appsv1.Deployment:
		return obj.Spec
	case *policyv1.PodDisruptionBudget:
		return obj.Spec
	}
	return nil
}

// overlay lays what is wanted over a live object and keeps what others wrote into its metadata.
func overlay(want, live client.Object) {
	labels := maps.Clone(live.GetLabels())
	maps.Copy(labels, want.GetLabels())
	live.SetLabels(labels)
	switch live := live.(type) {
	case *corev1.ServiceAccount:
		live.AutomountServiceAccountToken = want.(*corev1.ServiceAccount).AutomountServiceAccountToken
	case *corev1.ConfigMap:
		live.Data = want.(*corev1.ConfigMap).Data
	case *networkingv1.NetworkPolicy:
		live.Spec = want.(*networkingv1.NetworkPolicy).Spec
	case *corev1.Service:
		live.Spec.Selector = want.(*corev1.Service).Spec.Selector
		live.Spec.Ports = want.(*corev1.Service).Spec.Ports
	case *appsv1.Deployment:
		live.Spec = want.(*appsv1.Deployment).Spec
	case *policyv1.PodDisruptionBudget:
		live.Spec = want.(*policyv1.PodDisruptionBudget).Spec
	}
}

// report writes the status if it changed, and says in one Event and one line what was done.
func (r *reconciler) report(ctx context.Context, ws *WakalaService, live []client.Object, done map[controllerutil.OperationResult][]string, failure error) error {
	old := ws.DeepCopy()
	var deploy appsv1.Deployment
	status := &ws.Status
	status.ObservedGeneration = ws.Generation
	status.Inventory = nil
	for _, child := range live {
		status.Inventory = append(status.Inventory, InventoryEntry{r.kind(child), child.GetName()})
		if found, ok := child.(*appsv1.Deployment); ok {
			deploy = *found
		}
	}
	status.Replicas, status.ReadyReplicas = deploy.Status.Replicas, deploy.Status.ReadyReplicas
	status.Selector = labelService + "=" + ws.Name
	for result, reason := range map[controllerutil.OperationResult]string{
		controllerutil.OperationResultCreated: "Created", controllerutil.OperationResultUpdated: "Changed",
	} {
		if len(done[result]) == 0 {
			continue
		}
		said := string(result) + ": " + strings.Join(done[result], ", ")
		r.recorder.Eventf(ws, nil, corev1.EventTypeNormal, reason, "Reconcile", "%s", said)
		log.FromContext(ctx).Info(said)
		decision := Decision{time.Now().UTC().Format(time.RFC3339), reason, said}
		status.Decisions = append([]Decision{decision}, status.Decisions...)
	}
	status.Decisions = status.Decisions[:min(len(status.Decisions), mostDecisions)]
	r.conditions(ws, &deploy, failure)
	if equality.Semantic.DeepEqual(old.Status, ws.Status) {
		return nil
	}
	return client.IgnoreNotFound(r.Status().Patch(ctx, ws, client.MergeFrom(old)))
}

func (r *reconciler) conditions(ws *WakalaService, deploy *appsv1.Deployment, failure error) {
	set := func(kind string, status metav1.ConditionStatus, reason, message string) {
		apimeta.SetStatusCondition(&ws.Status.Conditions, metav1.Condition{
			Type: kind, Status: status, Reason: reason, Message: message, ObservedGeneration: ws.Generation,
		})
	}
	set("Healthy", metav1.ConditionUnknown, "NothingMeasured", "no section with a live check is set; Ready tells about the pods")
	complete, reason, said := rollout(deploy)
	if failure != nil {
		complete, reason, said = false, "Failed", failure.Error()
	}
	if complete {
		set("Ready", metav1.ConditionTrue, reason, said)
		apimeta.RemoveStatusCondition(&ws.Status.Conditions, "Reconciling")
		return
	}
	set("Ready", metav1.ConditionFalse, reason, said)
	set("Reconciling", metav1.ConditionTrue, reason, said)
}

// rollout says whether the controller has seen this template and all pods are of it and available.
func rollout(deploy *appsv1.Deployment) (complete bool, reason, said string) {
	wanted, status := int32(1), deploy.Status
	if deploy.Spec.Replicas != nil {
		wanted = *deploy.Spec.Replicas
	}
	switch {
	case deploy.UID == "":
		return false, "RollingOut", "the Deployment is being made"
	case status.ObservedGeneration < deploy.Generation:
		return false, "RollingOut", "the Deployment controller has not seen the new template yet"
	case status.UpdatedReplicas < wanted || status.Replicas != status.UpdatedReplicas:
		return false, "RollingOut", fmt.Sprintf("%d of %d pods are new", status.UpdatedReplicas, wanted)
	case status.AvailableReplicas < wanted:
		return false, "PodsNotAvailable", fmt.Sprintf("%d of %d pods are available", status.AvailableReplicas, wanted)
	}
	return true, "RolledOut", fmt.Sprintf("%d of %d pods are available, all of this template", status.AvailableReplicas, wanted)
}

func (r *reconciler) kind(obj client.Object) string {
	gvk, err := apiutil.GVKForObject(obj, r.Scheme())
	if err != nil {
		return "Object"
	}
	return gvk.Kind
}
