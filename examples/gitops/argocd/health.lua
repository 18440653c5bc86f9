-- Health of a WakalaService for Argo CD: the same answer as kstatus, and Suspended while it is paused.
-- argocd-cm.yaml carries this text word for word. Argo CD gives it no string library.
local metadata = type(obj.metadata) == "table" and obj.metadata or {}
local spec = type(obj.spec) == "table" and obj.spec or {}
local status = type(obj.status) == "table" and obj.status or {}

local function condition(kind)
  if type(status.conditions) == "table" then
    for _, found in ipairs(status.conditions) do
      if type(found) == "table" and found.type == kind then
        return found
      end
    end
  end
  return {}
end

local function say(found, otherwise)
  for _, text in ipairs({ found.message or "", found.reason or "" }) do
    if type(text) == "string" and text ~= "" then
      return text
    end
  end
  return otherwise
end

local ready = condition("Ready")
local stalled = condition("Stalled")
local reconciling = condition("Reconciling")
local healthy = condition("Healthy")
local generation = metadata.generation

if generation == nil or status.observedGeneration ~= generation then
  return { status = "Progressing", message = "the operator has not seen this generation of the spec yet" }
end
if stalled.status == "True" then
  return { status = "Degraded", message = say(stalled, "a person is needed") }
end
if spec.paused == true then
  return { status = "Suspended", message = say(ready, "spec.paused is true") }
end
if reconciling.status == "True" then
  return { status = "Progressing", message = say(reconciling, "work is under way") }
end
if ready.status == "True" and ready.observedGeneration == generation then
  local message = say(ready, "ready")
  if healthy.status == "False" then
    message = message .. "; not healthy: " .. say(healthy, "a live check fails")
  end
  return { status = "Healthy", message = message }
end
return { status = "Progressing", message = say(ready, "not ready yet") }
